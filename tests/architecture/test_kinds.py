"""Each kind of own field is in every table that tells kinds apart, and the tests try it on every engine."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib import import_module
from typing import Final, get_args

import pytest

from custctl.customers import conditions, own_values
from custctl.engines import ENGINES, column_scripts
from custctl.engines.adding import INTEGERS, TYPES, NewColumn, parse_type
from custctl.schema import own
from tests.behaviours import test_add_field, test_pseudonyms

KINDS: Final = frozenset(get_args(own.Kind)) - {"other"}


def kind_of(type_: str) -> str:
    """Return the kind of a field that `migrate new --add-field` adds with a type."""
    name = parse_type(type_).name
    return "integer" if name in INTEGERS else name


TABLES: Final[Mapping[str, Collection[str]]] = {
    "custctl/schema/own.py: _READERS": own._READERS,
    "custctl/customers/own_values.py: _PARSERS": own_values._PARSERS,
    "custctl/customers/own_values.py: _EXPECTED": own_values._EXPECTED,
    "custctl/customers/conditions.py: _OPERATORS": conditions._OPERATORS,
    "custctl/engines/adding.py: TYPES": TYPES,
    **{
        f"custctl/engines/{engine}/columns.py: _KINDS": import_module(f"custctl.engines.{engine}.columns")._KINDS.values()
        for engine in ENGINES
    },
    "tests/behaviours/test_add_field.py: FIELDS": [kind_of(type_) for type_, *_ in test_add_field.FIELDS.values()],
    "tests/behaviours/test_pseudonyms.py: OWN": [kind_of(type_) for type_, _ in test_pseudonyms.OWN.values()],
}  # fmt: skip


@pytest.mark.parametrize("table", TABLES)
def test_a_table_has_every_kind(table: str) -> None:
    missing = KINDS.difference(TABLES[table])
    assert not missing, f"add {', '.join(sorted(missing))} to {table}"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("form", TYPES.values())
def test_an_engine_writes_a_script_for_every_type(engine: str, form: str) -> None:
    type_ = parse_type(form.replace("N", "9").replace("P,S", "7,2"))
    assert "customer" in column_scripts(engine).write(NewColumn("made", type_)).first
