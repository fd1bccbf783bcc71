"""The markers of the columns that a script adds to `customer`."""

from __future__ import annotations

import pytest

from custctl.engines.adding import ColumnType, parse_type
from custctl.migrations.column_markers import column_markers
from custctl.migrations.directives import parse_directives
from custctl.support.errors import MigrationError

BOTH = """-- custctl: personal
-- custctl: searchable
ALTER TABLE customer ADD COLUMN vat_no text;
ALTER TABLE public."customer" ADD "Order" numeric(5, 2) DEFAULT 1.5, ADD COLUMN IF NOT EXISTS tier text;
ALTER TABLE other ADD COLUMN elsewhere text;
UPDATE customer SET phone = 'ALTER TABLE customer ADD COLUMN fake text';
"""
ONE = """ALTER TABLE dbo.[customer] WITH NOCHECK ADD
  vat_no NVARCHAR(28) NULL, -- custctl: personal
  [tier] NVARCHAR(40) NOT NULL CONSTRAINT tier_default DEFAULT N';'; -- custctl: searchable
GO
ALTER TABLE customer ADD note NVARCHAR(9) NULL
GO
SELECT 1 -- custctl: personal
"""


@pytest.mark.parametrize("column", ["vat_no", "VAT_NO", "order", "tier"])
def test_a_marker_alone_on_its_line_is_for_every_column_that_the_script_adds(column: str) -> None:
    assert column_markers(BOTH, column) == {"personal", "searchable"}


@pytest.mark.parametrize("column", ["elsewhere", "fake", "phone", "absent"])
def test_other_columns_have_none(column: str) -> None:
    assert column_markers(BOTH, column) == frozenset()


def test_a_marker_behind_a_column_is_for_that_one() -> None:
    found = {column: column_markers(ONE, column) for column in ("vat_no", "tier", "note", "tier_default")}
    assert found == {
        "vat_no": {"personal"}, "tier": {"searchable"}, "note": frozenset(), "tier_default": frozenset()
    }  # fmt: skip


def test_the_markers_are_directives_of_the_script() -> None:
    both, one = parse_directives(BOTH, "a.sql"), parse_directives(ONE, "a.sql")
    assert (both.personal, both.searchable) == (True, True)
    assert (one.personal, one.searchable) == (False, False)
    for text in ("SELECT 1;\n-- custctl: personal\n", "-- custctl: personal=yes\nSELECT 1;\n"):
        with pytest.raises(MigrationError):
            parse_directives(text, "a.sql")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("text(20)", ColumnType("text", 20)),
        (" TEXT ( 20 ) ", ColumnType("text", 20)),
        ("decimal(10, 2)", ColumnType("decimal", 10, 2)),
        ("uuid", ColumnType("uuid")),
    ],
)
def test_types_are_read(text: str, expected: ColumnType) -> None:
    assert parse_type(text) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("txt(20)", "did you mean `text(N)`?"),
        ("intger", "did you mean `integer`?"),
        ("text", "must be written `text(N)`"),
        ("uuid(3)", "must be written `uuid`"),
        ("text(0)", "a length from 1"),
        ("decimal(39,2)", "from 1 to 38 digits"),
        ("decimal(2,3)", "no more after the point"),
        ("", "types: `text(N)`"),
    ],
)
def test_what_is_no_type_is_told_with_the_nearest_one(text: str, told: str) -> None:
    with pytest.raises(ValueError, match="type") as caught:
        parse_type(text)
    assert told in str(caught.value)
