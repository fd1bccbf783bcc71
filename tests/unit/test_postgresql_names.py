"""Names in statements for PostgreSQL."""

from __future__ import annotations

import pytest

from custctl.engines.postgresql.names import quoted


@pytest.mark.parametrize("name", ["customer", "_a1", "custctl_fold", "name", "value", "year"])
def test_plain_names_stay_bare(name: str) -> None:
    assert quoted(name) == name


@pytest.mark.parametrize("name", ["user", "order", "group", "table", "end", "Ada", "a b", "1a", "", 'a"b', "é"])
def test_all_others_are_quoted(name: str) -> None:
    assert quoted(name) == '"' + name.replace('"', '""') + '"'
