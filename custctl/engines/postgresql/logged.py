"""Server settings that write the values of statements, such as customer data, to its log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

SETTINGS = """
SELECT name, setting FROM pg_catalog.pg_settings
 WHERE name IN ('log_statement', 'log_min_duration_statement', 'log_min_duration_sample', 'log_statement_sample_rate',
                'log_transaction_sample_rate', 'log_parameter_max_length', 'log_parameter_max_length_on_error',
                'pgaudit.log', 'pgaudit.log_parameter', 'auto_explain.log_min_duration')
"""
"""Reads the settings' values. An extension's settings exist only if it is loaded."""


def logging_values(settings: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each setting that logs values, as `name = value`, and the setting that stops it.

    Args:
        settings: the result of `SETTINGS`.

    Source: https://www.postgresql.org/docs/current/runtime-config-logging.html, auto-explain.html, and pgAudit's README.
    """

    def setting(name: str) -> str:
        return f"{name} = {settings[name]}"

    def number(name: str, default: float) -> float:
        return float(settings.get(name, default))

    if number("log_parameter_max_length", -1) != 0:
        ends = "log_parameter_max_length = 0"
        if settings.get("log_statement") in ("mod", "all"):
            yield setting("log_statement"), ends
        if number("log_min_duration_statement", -1) >= 0:
            yield setting("log_min_duration_statement"), ends
        if number("log_min_duration_sample", -1) >= 0 and number("log_statement_sample_rate", 0) > 0:
            yield setting("log_min_duration_sample"), ends
        if number("log_transaction_sample_rate", 0) > 0:
            yield setting("log_transaction_sample_rate"), ends
    if number("log_parameter_max_length_on_error", 0) != 0:
        yield setting("log_parameter_max_length_on_error"), "log_parameter_max_length_on_error = 0"
    if settings.get("pgaudit.log", "none") not in ("", "none") and settings.get("pgaudit.log_parameter") == "on":
        yield setting("pgaudit.log_parameter"), "pgaudit.log_parameter = off"
    # Its plans contain values, whatever `auto_explain.log_parameter_max_length` says about parameters.
    if number("auto_explain.log_min_duration", -1) >= 0:
        yield setting("auto_explain.log_min_duration"), "auto_explain.log_min_duration = -1"
