"""Values of own fields: what the rules accept, an engine keeps and returns as it is; what they refuse is never sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import custctl
from custctl.api.client import Client
from custctl.customers.rules import violations
from custctl.schema.own import OwnFields
from custctl.support import exact_json
from custctl.support.errors import InvalidError
from tests.behaviours.own_fields import write_script
from tests.behaviours.support import Place
from tests.conftest import make_project
from tests.servers.fixtures import ENGINES, place
from tests.servers.projects import on_engine

EXAMPLES = 40
# The type of each column on SQLite, PostgreSQL and SQL Server.
COLUMNS = {
    "label": ("VARCHAR(5)", "varchar(5)", "NVARCHAR(5)"),
    "code": ("TEXT CHECK (length(code) <= 5)", "text CHECK (char_length(code) BETWEEN 1 AND 5)", "NVARCHAR(5)"),
    "note": ("TEXT", "text", "NVARCHAR(MAX)"),
    "small": ("SMALLINT", "smallint", "SMALLINT"),
    "whole": ("INT4", "integer", "INT"),
    "large": ("BIGINT", "bigint", "BIGINT"),
    "price": ("DECIMAL(10,2)", "numeric(10,2)", "DECIMAL(10,2)"),
    "long_price": ("DECIMAL(30,10)", "numeric(30,10)", "DECIMAL(30,10)"),
    "any_number": ("NUMERIC", "numeric", "DECIMAL(38,10)"),
    "ratio": ("REAL", "double precision", "FLOAT"),
    "short_ratio": ("REAL", "real", "REAL"),
    "flag": ("BOOLEAN", "boolean", "BIT"),
    "day": ("DATE", "date", "DATE"),
    "moment": ("TIMESTAMP", "timestamptz", "DATETIME2(6)"),
    "local_moment": ("TIMESTAMP(3)", "timestamp(3)", "DATETIME2(3)"),
    "second": ("TIMESTAMP(0)", "timestamptz(0)", "DATETIME2(0)"),
    "reference": ("UUID", "uuid", "UNIQUEIDENTIFIER"),
    "extra": ("JSON", "jsonb", "NVARCHAR(MAX)"),
    "raw_extra": ("JSON", "json", "NVARCHAR(MAX)"),
}
PLACES = ("sqlite", "postgresql", "mssql")

_integers = st.one_of(
    st.integers(-40_000, 40_000),
    st.sampled_from([sign * (1 << bits) + by for bits in (15, 31, 63) for sign in (1, -1) for by in (-1, 0, 1)]),
).map(str)
_decimals = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=3).map(str),
    st.from_regex(r"[+-]?[0-9]{1,24}(\.[0-9]{0,14})?", fullmatch=True),
    st.from_regex(r"[+-]?[1-9](\.[0-9]{0,3})?[eE][+-]?[0-9]{1,2}", fullmatch=True),
    st.sampled_from(["99999999.994", "99999999.995", "-99999999.995", "0.005", "-0.004", "1e400", "-0"]),
)
_floats = st.one_of(
    st.floats().map(repr),
    st.floats(width=32).map(repr),
    st.sampled_from(["1e-50", "3.4028236e38", "1e-45", "7e-46", "4e38", "5e-324", "1e309", "1e-400", "-0.0"]),
    _decimals,
)
_texts = st.text(st.characters(exclude_categories=()), max_size=8)
_days = st.one_of(
    st.dates().map(str),
    st.sampled_from(["2023-02-29", "2024-02-29", "0000-01-01", "0001-01-01", "9999-12-31", "2026-13-01", "today"]),
)
_fractions = st.from_regex(r"(\.[0-9]{1,9})?", fullmatch=True)
_zones = st.sampled_from(["", "Z", "+02:00", "-11:30", "+1400", "+05"])
_moments = st.builds(
    lambda moment, fraction, zone: moment.replace(microsecond=0).isoformat() + fraction + zone,
    st.datetimes(),
    st.one_of(_fractions, st.sampled_from([".999", ".9995", ".9999995", ".99949", ".5", ".4999999"])),
    _zones,
)
# A larger float comes back from `jsonb` with all its digits, as an integer.
_numbers = st.integers(-(10**20), 10**20) | st.floats(-1e15, 1e15)
_json = st.recursive(
    st.none() | st.booleans() | _numbers | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=5,
).map(json.dumps)
STRATEGIES = {
    **dict.fromkeys(("label", "code", "note"), _texts),
    **dict.fromkeys(("small", "whole", "large"), st.one_of(_integers, st.just("1.5"))),
    **dict.fromkeys(("price", "long_price", "any_number"), _decimals),
    **dict.fromkeys(("ratio", "short_ratio"), _floats),
    "flag": st.sampled_from(["true", "no", "T", "0", "on", "2"]),
    "day": _days,
    **dict.fromkeys(("moment", "local_moment", "second"), _moments),
    "reference": st.one_of(st.uuids().map(str), st.uuids().map(lambda made: f"{{{made}}}".upper()), st.just("12")),
    **dict.fromkeys(
        ("extra", "raw_extra"),
        st.one_of(
            _json, st.sampled_from(["{", "NaN", "[1e4000]", "[12345678901234567.25]", '"\\u0000"', '{"a":1,"a":2}'])
        ),
    ),
}


@dataclass(slots=True)
class Filled:
    """A database with a column of each type, and a customer that takes values."""

    place: Place
    client: Client
    own: OwnFields
    who: int


@pytest.fixture(scope="module", params=ENGINES)
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    made = on_engine(make_project(tmp_path_factory.mktemp("values")), place(request))
    try:
        found = Place.of(made)
        at, add = PLACES.index(found.engine), "ADD" if found.engine == "mssql" else "ADD COLUMN"
        lines = [f"ALTER TABLE customer {add} {name} {types[at]};" for name, types in COLUMNS.items()]
        write_script(found, 1000, "\n".join(lines) + "\n")
        found.ok("migrate")
        row = found.add(email="values@example.com")
        database = found.open()
        try:
            with database.reading() as connection:
                own = OwnFields(None, database.own_fields(connection))
        finally:
            database.close()
        with custctl.open("dev", profiles_dir=found.path / "profiles", environ=found.environ) as client:
            yield Filled(found, client, own, row["id"])
    finally:
        made.drop()


def test_what_the_rules_accept_is_kept_as_it_is_and_what_they_refuse_is_not_sent(filled: Filled) -> None:
    customers, rows = filled.client.customers, []

    @settings(max_examples=EXAMPLES, derandomize=True, database=None, phases=[Phase.generate])
    @given(texts=st.fixed_dictionaries(STRATEGIES))
    def keep(texts: dict[str, str]) -> None:
        values, reasons = violations(texts, filled.own, partial=True)
        if reasons:
            before = customers.get(filled.who).version
            with pytest.raises(InvalidError) as refused:
                customers.update(filled.who, texts)
            assert refused.value.details["fields"] == reasons
            assert customers.get(filled.who).version == before
        good = {name: text for name, text in texts.items() if name not in reasons}
        written = customers.update(filled.who, good).customer
        found = customers.get(filled.who)
        assert found == written
        assert {name: found.own[name] for name in good} == values
        rows.append(good)

    keep()
    file = filled.place.path / "values.jsonl"
    # The text of a JSON column is a value there, and no JSON to be read; SQL Server has it in a column of text.
    typed = [
        {
            name: exact_json.loads(text) if filled.own.by_name[name].kind == "json" and text.strip() else text
            for name, text in row.items()
        }
        for row in rows
    ]
    named = [{"email": f"v{n}@example.com", "first_name": "F", "last_name": "L", **row} for n, row in enumerate(typed)]
    file.write_text("".join(exact_json.dumps(row) + "\n" for row in named))
    filled.place.ok("customer", "import", file)
    for number, row in enumerate(rows):
        found = customers.get(f"v{number}@example.com")
        values, _ = violations(row, filled.own, partial=True)
        assert {name: found.own[name] for name in row} == values
