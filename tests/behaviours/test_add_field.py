"""`migrate new --add-field`: the scripts that it writes run on every engine, and their columns take what they should."""

from __future__ import annotations

import json

import pytest

from tests.behaviours.support import Place

# Type, default, values that fit and values that do not, as SQL strings: every engine converts those.
FIELDS = {
    "tier": ("text(4)", "it's", ("x", "ÄÖÜẞ"), ("", "12345")),
    "visits": ("integer", "0", ("2147483647", "-2147483648"), ("2147483648", "x")),
    "points": ("bigint", "-5", ("9223372036854775807",), ("9223372036854775808", "x")),
    "rank": ("smallint", "7", ("32767",), ("32768", "x")),
    "credit": ("decimal(7,2)", "1.5", ("99999.99", "-0.01"), ("100000", "x")),
    "score": ("float", "0.25", ("1e300",), ("x",)),
    "vip": ("boolean", "yes", ("0", "1"), ("x",)),
    "birth": ("date", "2000-02-29", ("1969-12-31",), ("2001-02-29", "x")),
    "seen": ("timestamp", "2026-03-31T12:00:00+02:00", ("2026-01-01T00:00:00.000",), ("2026-13-01T00:00:00.000", "x")),
    "token": ("uuid", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", ("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12",), ("x",)),
    "extra": ("json", '{"a": [1]}', ("[]",), ("{",)),
    "order": ("text(9)", None, ("x",), ("1234567890",)),
}
SHOWN = {
    "tier": "it's", "visits": 0, "points": -5, "rank": 7, "credit": "1.50", "score": 0.25, "vip": True,
    "birth": "2000-02-29", "seen": "2026-03-31T10:00:00.000Z", "token": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    "order": None,
}  # fmt: skip


def test_the_scripts_pass_the_linter_and_their_columns_hold_their_types(empty: Place) -> None:
    place = empty
    place.copy_scripts()
    place.ok("migrate")
    place.add(email="a@example.com")
    for name, (type_, default, _, _) in FIELDS.items():
        options = ["--default", default] if default is not None else []
        options += ["--index"] if name != "extra" else []
        options += ["--personal", "--searchable"] if name == "tier" else []
        place.ok("migrate", "new", "--add-field", name, "--type", type_, *options)
    assert place.items("migrate", "validate") == [], "a finding is a warning here, and stops a run in production"
    place.ok("migrate")

    customer = place.json("customer", "get", "a@example.com")
    assert {name: customer[name] for name in SHOWN} == SHOWN
    extra = customer["extra"]
    assert (json.loads(extra) if isinstance(extra, str) else extra) == {"a": [1]}
    quoted = {name: f"[{name}]" if place.engine == "mssql" else f'"{name}"' for name in FIELDS}
    versions = {customer["version"]}
    for name, (_, _, fits, fails) in FIELDS.items():
        for value in fits:
            written = place.time(value) if name == "seen" else place.literal(value)
            place.sql(f"UPDATE customer SET {quoted[name]} = {written}")
            versions.add(place.json("customer", "get", "a@example.com")["version"])
        for value in fails:
            with pytest.raises(place.errors()):
                place.sql(f"UPDATE customer SET {quoted[name]} = {place.literal(value)}")
    assert len(versions) == 1 + sum(len(fits) for _, _, fits, _ in FIELDS.values()), "each write raises the version"
    place.ok("customer", "update", "a@example.com", "--unset", "order")


@pytest.mark.parametrize(
    ("code", "told", "arguments"),
    [
        (2, ["`Vat-No` must consist of lower-case", "did you mean `text(N)`"], ("Vat-No", "txt(3)")),
        (2, ["`firstname` is taken: customers have `first_name`"], ("firstname", "date")),
        (2, ["is longer than 40", "may have 400 characters"], ("x" * 41, "text(401)", "--index")),
        (2, ["only text is searched", "the default `x` must be"], ("since", "date", "--searchable", "--default", "x")),
        (2, ["sqlite keeps 15 digits exactly"], ("money", "decimal(20,2)")),
        (9, ["the default `70000` must be from -32768 to 32767"], ("rank", "smallint", "--default", "70000")),
        (9, ["has 4 characters, 3 are allowed"], ("tier", "text(3)", "--default", "gold")),
    ],
)
def test_what_cannot_be_is_refused_with_everything_that_is_wrong(
    empty: Place, code: int, told: list[str], arguments: tuple[str, ...]
) -> None:
    empty.copy_scripts()
    name, type_, *options = arguments
    before = sorted(empty.path.rglob("*.sql"))
    error = empty.refused(code, "migrate", "new", "--add-field", name, "--type", type_, *options)
    assert [part for part in told if part not in error["message"]] == []
    assert sorted(empty.path.rglob("*.sql")) == before


def test_options_without_a_field_are_refused(empty: Place) -> None:
    empty.copy_scripts()
    assert "either a NAME or `--add-field`" in empty.refused(2, "migrate", "new")["message"]
    assert "`--index` needs `--add-field`" in empty.refused(2, "migrate", "new", "x", "--index")["message"]
    assert "needs `--type`" in empty.refused(2, "migrate", "new", "--add-field", "x")["message"]
