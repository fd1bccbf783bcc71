"""Reading files of records: headers, odd CSV and JSON lines, rejects that can be mended, round trips."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custctl.customers import csv_rows, json_records, records
from custctl.customers.headers import Columns, match_headers, parse_mapping
from custctl.customers.model import EDITABLE, FIELDS
from custctl.customers.recognition import recognise
from custctl.customers.records import Reading, Record, fingerprint, guess_format
from custctl.customers.sources import open_source
from custctl.support.errors import InvalidError, UsageError
from custctl.support.text import UNSAFE
from custctl.terminal.csv_text import from_rows


def source(
    data: str | bytes,
    chosen: Any = "csv",
    mapping: Sequence[str] = (),
    *,
    encoding: str | None = None,
    **options: Any,
) -> Any:
    file = io.BytesIO(data.encode() if isinstance(data, str) else data)
    return open_source(file, Reading(chosen, recognise(file, encoding), parse_mapping(mapping), **options))


def rows(data: str | bytes, chosen: Any = "csv", mapping: Sequence[str] = (), **options: Any) -> list[Record]:
    return list(source(data, chosen, mapping, **options).records())


def values(data: str | bytes, chosen: Any = "csv", mapping: Sequence[str] = (), **options: Any) -> list[dict[str, Any]]:
    return [dict(zip(row.columns, row.cells, strict=True)) for row in rows(data, chosen, mapping, **options)]


def matched(headers: Sequence[str], *mapping: str) -> Columns:
    return match_headers(headers, parse_mapping(mapping))


def positions(found: Columns) -> dict[str, int]:
    return dict(zip(found.fields, found.used, strict=True))


# -- headers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header", ["first_name", "FirstName", "FIRST NAME", "first-name", "_First_Name_", " firstName ", "\ufeffFirst Name"]
)
def test_a_header_matches_whatever_its_case_and_separators(header: str) -> None:
    found = matched(["Email", header])
    assert positions(found) == {"email": 0, "first_name": 1}
    assert (found.left_out, found.kept) == ((), ())


@pytest.mark.parametrize("header", ["name", "first", "firstname2", "prénom"])
def test_what_is_no_field_is_left_out(header: str) -> None:
    assert matched(["email", header]).left_out == (header,)


@pytest.mark.parametrize("header", ["", " "])
def test_a_column_without_a_header_is_named_by_its_number(header: str) -> None:
    assert matched(["email", header]).left_out == ("column 2",)


def test_what_the_database_keeps_itself_is_told_apart_from_what_is_unknown() -> None:
    found = matched(["Id", "email", "CREATED_AT", "updatedAt", "Version", "fax"])
    assert found.fields == ("email",)
    assert found.left_out == ("fax",)
    assert found.kept == ("Id", "CREATED_AT", "updatedAt", "Version")


def test_a_mapping_comes_before_a_match_and_leaves_the_matching_column_out() -> None:
    found = matched(["email", "city", "Town"], "city=Town")
    assert positions(found) == {"email": 0, "city": 2}
    assert found.left_out == ("city",)


def test_a_mapping_may_name_what_the_database_keeps() -> None:
    found = matched(["id", "email"], "phone=id")
    assert positions(found) == {"phone": 0, "email": 1}
    assert found.kept == ()


def test_an_exact_header_is_preferred_to_one_that_is_alike() -> None:
    found = matched(["email", "town", "Town"], "city=Town")
    assert positions(found)["city"] == 2
    assert found.left_out == ("town",)
    assert matched(["email", "TOWN"], "city=town").used == (1, 0)


def test_a_mapped_header_that_is_not_there_is_an_error_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="the file has no column `Adress`") as caught:
        source("email,Address\n", mapping=["address_line=Adress"])
    assert caught.value.hint == "did you mean `Address`?"
    with pytest.raises(UsageError) as caught:
        source("email,Address\n", mapping=["address_line=xyz"])
    assert caught.value.hint == "columns: email, Address"


def test_two_columns_for_one_field_are_an_error_that_a_mapping_settles() -> None:
    with pytest.raises(UsageError, match="`E-Mail` and `email` both match the field `email`"):
        source("E-Mail,email\n")
    found = matched(["E-Mail", "email"], "email=email")
    assert found.used == (1,)
    assert found.left_out == ("E-Mail",)


def test_two_fields_from_one_column_are_an_error() -> None:
    with pytest.raises(UsageError, match="reads two fields from `Town`"):
        matched(["email", "Town"], "city=Town", "region=TOWN")
    with pytest.raises(UsageError, match="reads two fields from `Town`"):
        parse_mapping(["city=Town", "region=Town"])


def test_without_an_email_there_is_nothing_to_go_by() -> None:
    with pytest.raises(InvalidError, match="no column matches `email`") as caught:
        source("mail,first_name\n")
    assert caught.value.hint == "name it with `--map email=mail`; columns: mail, first_name"
    assert source("mail,first_name\n", mapping=["email=mail"]).columns == ("email", "first_name")


def test_an_empty_mapping_leaves_the_matching_column_out_and_does_not_name_it() -> None:
    found = matched(["Email", "Status", "REGION", "fax"], "status=", "region=")
    assert (found.fields, found.left_out) == (("email",), ("fax",))
    text = '{"email": "a@x.com", "Status": "paid"}\n'
    assert values(text, "jsonl", ["status="]) == [{"email": "a@x.com"}]
    with pytest.raises(UsageError, match="`email` cannot be left out"):
        parse_mapping(["email="])


@pytest.mark.parametrize("chosen", ["csv", "jsonl"])
def test_one_field_of_several_columns(chosen: str) -> None:
    text = "email,Street1,Street2,city\na@x.com, 1 Road ,Flat 2,Rome\nb@x.com,,Flat 3,\nc@x.com,,,\n"
    if chosen == "jsonl":
        text = "".join(json.dumps(held) + "\n" for held in csv.DictReader(io.StringIO(text)))
    found = values(text, chosen, ["address_line=Street1, street_2"])
    assert [row["address_line"] for row in found] == ["1 Road, Flat 2", "Flat 3", ""]
    assert [row["city"] for row in found] == ["Rome", "", ""]


def test_a_header_that_holds_a_comma_comes_before_two_headers() -> None:
    found = values('email,"Town, place",Town,place\na@x.com,Rome,B,C\n', mapping=["city=Town, place"])
    assert found == [{"email": "a@x.com", "city": "Rome"}]


def test_a_part_that_is_not_there_is_an_error_in_csv_and_joined_without_in_json_lines() -> None:
    with pytest.raises(UsageError, match="the file has no column `Street2`"):
        source("email,Street1\n", mapping=["address_line=Street1,Street2"])
    text = '{"email": "a@x.com", "Street1": "x"}\n{"email": "b@x.com", "Street1": "y", "Street2": null}\n'
    read = source(text, "jsonl", ["address_line=Street1,Street2"])
    assert [row.cells for row in read.records()] == [["x", "a@x.com"], ["b@x.com", "y"]]
    assert read.unmet == []


def test_parts_that_are_no_text_are_handed_on_to_be_rejected() -> None:
    text = '{"email": "a@x.com", "A": 1, "B": "x", "Name": 5}\n'
    found = values(text, "jsonl", ["address_line=A,B", "first_name,last_name=Name"])
    assert found == [{"email": "a@x.com", "address_line": 1, "first_name": 5, "last_name": 5}]


@pytest.mark.parametrize(
    ("order", "name", "first", "last"),
    [
        ("first_name,last_name", "Ada Lovelace", "Ada", "Lovelace"),
        ("first_name,last_name", "  Ana  María\u00a0García ", "Ana María", "García"),
        ("first_name,last_name", "Cher", "Cher", ""),
        ("first_name,last_name", "", "", ""),
        ("last_name,first_name", "Lovelace, Ada", "Ada", "Lovelace"),
        ("last_name,first_name", "van der Berg, Jan Piet", "Jan Piet", "van der Berg"),
        ("last_name,first_name", "Nagy János Pál", "János Pál", "Nagy"),
        ("last_name,first_name", "Cher", "", "Cher"),
    ],
)
@pytest.mark.parametrize("chosen", ["csv", "jsonl"])
def test_a_name_is_split(order: str, name: str, first: str, last: str, chosen: str) -> None:
    held = {"email": "a@x.com", "Full Name": name, "city": "Rome"}
    text = json.dumps(held) if chosen == "jsonl" else 'email;"Full Name";city\na@x.com;' + name + ";Rome\n"
    assert values(text, chosen, [f"{order}=Full Name"]) == [
        {"email": "a@x.com", "city": "Rome", "first_name": first, "last_name": last}
    ]


@pytest.mark.parametrize("chosen", ["csv", "jsonl"])
def test_a_name_with_a_comma_is_not_guessed(chosen: str) -> None:
    held = {"email": "a@x.com", "Name": "Lovelace, Ada"}
    text = json.dumps(held) if chosen == "jsonl" else "email;Name\na@x.com;Lovelace, Ada\n"
    (row,) = rows(text, chosen, ["first_name,last_name=Name"])
    assert row.problem == "the name contains a comma: map the column to `last_name,first_name` if it is `Last, First`"


@pytest.mark.parametrize(
    "text", ["city,region=Place", "first_name,last_name=", "first_name,city=X", "first_name,last_name,city=X"]
)
def test_only_a_name_is_split(text: str) -> None:
    with pytest.raises(UsageError, match="only a name can be split"):
        parse_mapping([text])


def test_cells_of_several_columns_lose_their_guard_one_by_one() -> None:
    text = "email,A,B\na@x.com,'+1,'=2\n"
    assert values(text, mapping=["address_line=A,B"]) == [{"email": "a@x.com", "address_line": "+1, =2"}]
    assert values(text, mapping=["address_line=A,B"], raw=True)[0]["address_line"] == "'+1, '=2"


@pytest.mark.parametrize("text", ["", "city", "=Town", ",=Town", "city,=Town"])
def test_a_mapping_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_mapping([text])


def test_mappings() -> None:
    assert [(held.fields, held.header) for held in parse_mapping(["city=Town = place", "region=State"])] == [
        (("city",), "Town = place"), (("region",), "State"),
    ]  # fmt: skip
    with pytest.raises(UsageError) as caught:
        parse_mapping(["emial=Mail"])
    assert caught.value.hint == "did you mean `email`?"
    for kept in ("id", "version", "created_at"):
        with pytest.raises(UsageError, match=f"no field `{kept}` to import"):
            parse_mapping([f"{kept}=X"])
    with pytest.raises(UsageError, match="given twice"):
        parse_mapping(["city=A", "city=B"])


def test_the_format_is_told_by_the_name() -> None:
    from pathlib import Path

    assert [guess_format(Path(name)) for name in ("a.jsonl", "a.NDJSON", "a.csv", "a", "jsonl")] == [
        "jsonl", "jsonl", "csv", "csv", "csv",
    ]  # fmt: skip
    assert guess_format(None) == "csv"


# -- CSV -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_every_kind_of_line_end(end: str, last: bool) -> None:
    text = f"email,city{end}a@x.com,Rome{end}b@x.com,Oslo" + (end if last else "")
    found = rows(text)
    assert [row.cells for row in found] == [["a@x.com", "Rome"], ["b@x.com", "Oslo"]]
    assert [row.line for row in found] == [2, 3]


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfemail,city\na@x.com,K\xc3\xb6ln\n",
        "email,city\na@x.com,Köln\n".encode("utf-16"),
        b"\xfe\xff" + "email,city\r\na@x.com,Köln\r\n".encode("utf-16-be"),
    ],
    ids=["utf-8", "utf-16", "utf-16-be"],
)
def test_a_byte_order_mark_is_understood(data: bytes) -> None:
    assert values(data) == [{"email": "a@x.com", "city": "Köln"}]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_semicolons_and_tabs_are_noticed(delimiter: str) -> None:
    found = source(f"email{delimiter}city\na@x.com{delimiter}Rome\n")
    assert [row.cells for row in found.records()] == [["a@x.com", "Rome"]]


def test_one_column_needs_no_delimiter() -> None:
    assert values("email\na@x.com\n") == [{"email": "a@x.com"}]


def test_blank_lines_are_passed_over_and_counted() -> None:
    found = rows("\n\nemail,city\n\na@x.com,Rome\n\n\nb@x.com,Oslo\n\n")
    assert [(row.line, row.cells[0]) for row in found] == [(5, "a@x.com"), (8, "b@x.com")]


def test_semicolons_are_noticed_below_blank_lines() -> None:
    assert values("\n\nemail;city\na@x.com;Rome\n") == [{"email": "a@x.com", "city": "Rome"}]


def test_ragged_rows_are_told_and_kept_as_they_were() -> None:
    found = rows("email,city\na@x.com\nb@x.com,Rome,more\nc@x.com,Oslo\n")
    assert [row.problem for row in found] == [
        "has 1 cell, the header has 2", "has 3 cells, the header has 2", None,
    ]  # fmt: skip
    assert [row.raw for row in found[:2]] == [["a@x.com"], ["b@x.com", "Rome", "more"]]


def test_a_quoted_cell_over_lines_counts_them() -> None:
    found = rows('email,city\r\n"a@x.com","Ro\r\nme"\r\nb@x.com,Oslo\r\n"c\n@x.com",X\n')
    assert [(row.line, row.cells[1]) for row in found] == [(2, "Ro\r\nme"), (4, "Oslo"), (5, "X")]


def test_a_header_over_lines_is_counted() -> None:
    assert rows('email,"ci\nty"\na@x.com,Rome\n')[0].line == 3


def test_a_quote_that_is_never_closed_is_one_bad_row_that_says_so() -> None:
    found = rows('email,city\na@x.com,Rome\nb@x.com,"Oslo\nc@x.com,Paris\n')
    assert [row.problem for row in found] == [None, "cell 2 (`city`) opens a quote that is never closed", None]
    assert (found[1].line, found[1].raw) == (3, 'b@x.com,"Oslo')
    assert (found[2].line, found[2].cells) == (4, ["c@x.com", "Paris"])


def test_a_quote_closed_at_the_very_end_is_no_fault() -> None:
    assert values('email,city\na@x.com,"Rome"') == [{"email": "a@x.com", "city": "Rome"}]
    assert values('email,city\na@x.com,"Ro\0"') == [{"email": "a@x.com", "city": "Ro\0"}]
    (row,) = rows('email,city\na@x.com,"Rome\n')
    assert row.problem == "cell 2 (`city`) opens a quote that is never closed"


def test_a_header_with_an_open_quote_is_told() -> None:
    with pytest.raises(InvalidError, match="the header cannot be read: cell 2 opens a quote that is never closed"):
        source('email,"city\na@x.com,Rome\n')


def test_a_quote_that_would_swallow_the_file_costs_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_rows, "LONGEST_CELL", 1000)
    found = rows('email,city\na@x.com,Rome\nb@x.com,"Oslo\n' + "c@x.com,Rome\n" * 200)
    assert [row.line for row in found if row.problem is not None] == [3]
    assert len(found) == 202


def test_a_cell_of_a_megabyte_is_read() -> None:
    cell = "x" * (1 << 20)
    assert rows(f"email,city\na@x.com,{cell}\nb@x.com,Rome\n")[0].cells[1] == cell


def test_a_nul_is_read_as_it_is() -> None:
    assert values("email,city\na@x.com,Ro\0me\n\0,\0\n") == [
        {"email": "a@x.com", "city": "Ro\0me"},
        {"email": "\0", "city": "\0"},
    ]


def test_bytes_that_are_not_utf8_leave_as_they_came() -> None:
    read = source(b"email,city\na@x.com,K\xf6ln\n")
    (record,) = read.records()
    kept = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="surrogateescape", newline="")
    read.reject(kept, record, "is bad", first=True)
    kept.flush()
    assert kept.buffer.getvalue() == b"email,city,_line,_reason\na@x.com,K\xf6ln,2,is bad\n"


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf", b"\xff\xfe"])
def test_an_empty_file_is_told(data: bytes) -> None:
    with pytest.raises(InvalidError, match="empty"):
        source(data)


@pytest.mark.parametrize("data", ["email,city", "email,city\n", "email,city\r\n\r\n"])
def test_a_header_alone_has_no_rows(data: str) -> None:
    assert rows(data) == []


def test_utf16_that_breaks_off_is_told() -> None:
    data = "email,city\na@x.com,Rome\n".encode("utf-16")
    with pytest.raises(InvalidError, match=r"is not valid UTF-16-LE at line 2 \(byte 49 of the file\)"):
        rows(data[:-1])


def test_a_guarded_cell_loses_exactly_one_quote_and_a_raw_one_none() -> None:
    text = "email,city,region,company\na@x.com,'=1+1,''@x,'t Hooft\n"
    assert rows(text)[0].cells == ["a@x.com", "=1+1", "'@x", "'t Hooft"]
    assert rows(text, raw=True)[0].cells == ["a@x.com", "'=1+1", "''@x", "'t Hooft"]


def test_a_fingerprint_knows_the_bytes_and_counts_the_lines() -> None:
    file = io.BytesIO(b"a\nb\r\nc")
    first = fingerprint(file)
    assert first.lines == 2
    assert file.tell() == 0
    assert fingerprint(io.BytesIO(b"a\nb\r\nC")).digest != first.digest


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_a_line_that_memory_should_not_hold_is_refused_wherever_it_is(
    monkeypatch: pytest.MonkeyPatch, end: bytes
) -> None:
    limit = 3 << 20
    monkeypatch.setattr(records, "LONGEST_REJECT", limit)
    short, fits, long = b"x" * 100, b"x" * (limit - 1), b"x" * (limit + 1)
    assert fingerprint(io.BytesIO(end.join([short, fits, short, fits])))
    for lines in ([long], [short, long], [long, short], [short, fits, long, fits]):
        with pytest.raises(InvalidError, match="has a line of more than"):
            fingerprint(io.BytesIO(end.join(lines)))


# -- JSON lines ------------------------------------------------------------------------------------


def test_json_lines_with_varying_keys() -> None:
    text = '{"Email": "a@x.com", "City": "Rome"}\n\n{"phone": null, "email": "b@x.com"}\r\n{}'
    found = rows(text, "jsonl")
    assert [(row.line, row.columns, list(row.cells)) for row in found] == [
        (1, ("email", "city"), ["a@x.com", "Rome"]),
        (3, ("phone", "email"), [None, "b@x.com"]),
        (4, (), []),
    ]


def test_json_lines_may_begin_with_a_mark() -> None:
    assert values(b'\xef\xbb\xbf{"email": "a@x.com"}\n', "jsonl") == [{"email": "a@x.com"}]


@pytest.mark.parametrize("line", ["[1]", '"text"', "42", "null", "true"])
def test_what_is_no_object_is_told(line: str) -> None:
    (row,) = rows(line, "jsonl")
    assert row.problem == "is not a JSON object"


@pytest.mark.parametrize(
    "line", ["{", "a,b", '{"a": }', "{'a': 1}", '{"a": "\x1b"}', "[" * 100_000, '{"a": ' + "9" * 5000 + "}"]
)
def test_what_is_no_json_is_told_without_control_bytes(line: str) -> None:
    (row,) = rows(line, "jsonl")
    assert row.problem is not None
    assert row.problem.startswith("is not JSON: ")
    assert "line 1" not in row.problem
    assert re.search(UNSAFE, row.problem) is None


def test_values_that_are_no_text_come_as_they_are() -> None:
    text = '{"email": "a@x.com", "postal_code": 123, "city": {"a": [1]}, "region": true}'
    assert values(text, "jsonl") == [{"email": "a@x.com", "postal_code": 123, "city": {"a": [1]}, "region": True}]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"email": "a@x.com", "email": "b@x.com"}', "has a key twice"),
        ('{"email": "a@x.com", "E-Mail": "b@x.com"}', "has the field `email` twice"),
        ('{"email": "a@x.com", "x": 1, "x": 2}', "has a key twice"),
    ],
)
def test_an_object_that_says_two_things_is_told(line: str, problem: str) -> None:
    assert [row.problem for row in rows(f'{line}\n{{"email": "c@x.com"}}', "jsonl")] == [problem, None]


def test_a_line_that_is_too_long_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_records, "LONGEST_LINE", 1000)
    good = '{"email": "a@x.com", "city": "' + "x" * 960 + '"}'
    assert len(rows(good, "jsonl")) == 1
    reading = source(f"{good}\n{good}{'y' * 100}\n", "jsonl").records()
    next(reading)
    # An object is rejected where its values are too long, as in CSV.
    longer = good.replace("x", "x" * 2)
    assert [len(row.cells) for row in rows(f"{longer}\n{good}\n", "jsonl")] == [2, 2]
    with pytest.raises(InvalidError, match="line 2 is longer than 1000 characters"):
        next(reading)


def test_keys_left_out_are_told_once_and_do_not_fill_the_memory() -> None:
    text = "".join(f'{{"email": "a@x.com", "id": 1, "key{number}": 1, "fax": 2}}\n' for number in range(5000))
    read = source(text, "jsonl")
    assert all(row.columns == ("email",) for row in read.records())
    assert len(read.left_out) < 1100
    assert read.left_out[:2] == ["key0", "fax"]
    assert len(set(read.left_out)) == len(read.left_out)
    assert read.kept == ["id"]


def test_a_mapping_of_json_keys() -> None:
    text = '{"mail": "a@x.com", "Town": "Rome", "city": "left out"}\n{"MAIL": "b@x.com", "town": "Oslo"}\n'
    read = source(text, "jsonl", ["email=mail", "city=Town", "region=State"])
    assert [dict(zip(row.columns, row.cells, strict=True)) for row in read.records()] == [
        {"email": "a@x.com", "city": "Rome"},
        {"email": "b@x.com", "city": "Oslo"},
    ]
    assert read.left_out == ["city"]
    assert read.unmet == ["State"]


def test_how_much_was_read_is_known() -> None:
    for chosen, text in (("csv", "email\n" + "a@x.com\n" * 5000), ("jsonl", '{"email": "a@x.com"}\n' * 5000)):
        read = source(text, chosen)
        seen = [read.offset for _ in read.records()]
        assert seen == sorted(seen)
        assert seen[-1] >= len(text)
        assert seen[0] < len(text)


# -- rejects ---------------------------------------------------------------------------------------


def rejected(data: str | bytes, chosen: Any = "csv", reason: str = "is bad") -> str:
    read = source(data, chosen)
    kept = io.StringIO()
    for number, record in enumerate(read.records()):
        read.reject(kept, record, record.problem or reason, first=number == 0)
    return kept.getvalue()


def test_rejects_of_csv_keep_columns_delimiter_and_cells() -> None:
    text = 'Fax;E-Mail;id\n1;\'=a@x.com;7\n"2;3";"b\r@x\n";8\nshort\n1;2;3;4\n'
    assert rejected(text) == (
        "Fax;E-Mail;id;_line;_reason\n"
        "1;'=a@x.com;7;2;is bad\n"
        '"2;3";"b\r@x\n";8;3;is bad\n'
        "short;;;6;has 1 cell, the header has 3\n"
        "1;2;3;7;has 4 cells, the header has 3;4\n"
    )


def test_rejects_of_json_lines_keep_the_text_of_the_object() -> None:
    text = '{"b":1.50,"a":"\\ud800"}\n  {"n": 1, "n": 2 }  \r\n{}\n{ }\nno\n["x"]\n'
    kept = rejected(text, "jsonl", reason='says "no"').splitlines()
    assert kept[0] == '{"b":1.50,"a":"\\ud800", "_line": 1, "_reason": "says \\"no\\""}'
    assert kept[1] == '  {"n": 1, "n": 2, "_line": 2, "_reason": "has a key twice"}'
    assert kept[2] == '{"_line": 3, "_reason": "has no value"}'
    assert kept[3] == '{"_line": 4, "_reason": "has no value"}'
    for line in kept:
        assert list(json.loads(line))[-2:] == ["_line", "_reason"]
    assert json.loads(kept[4])["_raw"] == "no"
    assert json.loads(kept[5])["_raw"] == '["x"]'


def test_rejects_of_json_lines_whose_added_keys_are_not_last_keep_their_values() -> None:
    [kept] = rejected('{"_line": 3, "a": "\\ud8000", "b": 1.00000000000000000001}\n', "jsonl").splitlines()
    assert kept == '{"a": "\\ud8000", "b": 1.00000000000000000001, "_line": 1, "_reason": "is bad"}'


cells = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["", "'", "'=", "''=1", "=1", "+4", "-", "@", "\r", "\n", "\r\n", '"', ',"', "'t", "\0", "\t", ";", " x "]
)


@settings(max_examples=2 * settings().max_examples)
@given(st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=5), st.sampled_from(",;\t"))
def test_rejects_of_csv_are_read_as_what_they_were(table: list[list[str]], delimiter: str) -> None:
    buffer = io.StringIO()
    # Everything is quoted: what the file holds is certain.
    writer = csv.writer(buffer, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerows([["email", "city", "fax"], *table])
    before = rows(buffer.getvalue(), raw=True)
    assert [row.raw for row in before] == table
    after = rows(rejected(buffer.getvalue(), reason="x"), raw=True)
    assert [row.cells for row in after] == [row.cells for row in before]
    assert [row.raw for row in after] == table


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | cells,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(cells, inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=2 * settings().max_examples)
@given(
    st.lists(st.dictionaries(st.sampled_from(EDITABLE) | cells, json_values, max_size=4), min_size=1, max_size=4),
    st.booleans(),
)
def test_rejects_of_json_lines_are_read_as_what_they_were(objects: list[dict[str, Any]], ascii_alone: bool) -> None:
    text = "".join(json.dumps(held, ensure_ascii=ascii_alone) + "\n" for held in objects)
    kept = rejected(text, "jsonl", reason="x").split("\n")[:-1]
    assert [json.loads(line) for line in kept] == [
        {**held, "_line": number, "_reason": json.loads(kept[number - 1])["_reason"]}
        for number, held in enumerate(objects, start=1)
    ]
    before, after = rows(text, "jsonl"), rows("\n".join(kept), "jsonl")
    assert [(row.columns, row.cells) for row in after] == [(row.columns, row.cells) for row in before]


# -- the round trip --------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | cells


def exported(table: Sequence[Sequence[Any]], *, raw: bool) -> str:
    return ",".join(FIELDS) + "\n" + from_rows(table, raw=raw)[0]


def row_of(held: Sequence[str | None]) -> tuple[Any, ...]:
    return (1, *held, "e1-1", "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z")


@settings(max_examples=3 * settings().max_examples)
@given(st.lists(st.lists(texts, min_size=len(EDITABLE), max_size=len(EDITABLE)), min_size=1, max_size=4))
def test_a_guarded_export_is_read_as_the_same_values_where_nothing_had_to_be_made_visible(
    table: list[list[str]],
) -> None:
    table = [[re.sub(UNSAFE, "", cell) for cell in row] for row in table]
    found = rows(exported([row_of(row) for row in table], raw=False))
    assert [row.columns for row in found] == [EDITABLE] * len(table)
    assert [row.cells for row in found] == table


@settings(max_examples=3 * settings().max_examples)
@given(st.lists(st.lists(texts, min_size=len(EDITABLE), max_size=len(EDITABLE)), min_size=1, max_size=4))
def test_a_raw_export_is_read_as_the_same_values(table: list[list[str]]) -> None:
    found = rows(exported([row_of(row) for row in table], raw=True), raw=True)
    assert [row.cells for row in found] == table
