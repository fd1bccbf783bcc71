"""Which settings of a PostgreSQL server put values into its log."""

from __future__ import annotations

import pytest

from custctl.engines.postgresql.logged import logging_values

DEFAULTS = {
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "log_statement_sample_rate": "1",
    "log_transaction_sample_rate": "0",
    "log_parameter_max_length": "-1",
    "log_parameter_max_length_on_error": "0",
}
LENGTH = "log_parameter_max_length = 0"


@pytest.mark.parametrize(
    ("changed", "told", "ends"),
    [
        ({}, [], []),
        ({"log_statement": "ddl"}, [], []),
        ({"log_statement": "mod"}, ["log_statement = mod"], [LENGTH]),
        ({"log_statement": "all"}, ["log_statement = all"], [LENGTH]),
        ({"log_statement": "all", "log_parameter_max_length": "0"}, [], []),
        ({"log_statement": "all", "log_parameter_max_length": "9"}, ["log_statement = all"], [LENGTH]),
        ({"log_min_duration_statement": "0"}, ["log_min_duration_statement = 0"], [LENGTH]),
        ({"log_min_duration_sample": "50"}, ["log_min_duration_sample = 50"], [LENGTH]),
        ({"log_min_duration_sample": "50", "log_statement_sample_rate": "0"}, [], []),
        ({"log_transaction_sample_rate": "0.1"}, ["log_transaction_sample_rate = 0.1"], [LENGTH]),
        (
            {"log_parameter_max_length_on_error": "-1"},
            ["log_parameter_max_length_on_error = -1"],
            ["log_parameter_max_length_on_error = 0"],
        ),
        ({"pgaudit.log": "write", "pgaudit.log_parameter": "off"}, [], []),
        ({"pgaudit.log": "none", "pgaudit.log_parameter": "on"}, [], []),
        (
            {"pgaudit.log": "write", "pgaudit.log_parameter": "on"},
            ["pgaudit.log_parameter = on"],
            ["pgaudit.log_parameter = off"],
        ),
        ({"auto_explain.log_min_duration": "-1"}, [], []),
        (
            {"auto_explain.log_min_duration": "0", "log_parameter_max_length": "0"},
            ["auto_explain.log_min_duration = 0"],
            ["auto_explain.log_min_duration = -1"],
        ),
    ],
)
def test_what_logs_values_and_what_ends_it(changed: dict[str, str], told: list[str], ends: list[str]) -> None:
    found = list(logging_values({**DEFAULTS, **changed}))
    assert [setting for setting, _ in found] == told
    assert [setting for _, setting in found] == ends
