"""Rejects of rejects: whatever a file holds and however often it is rejected, it is read as what it was."""

from __future__ import annotations

import codecs
import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custctl.customers import json_records
from custctl.customers.headers import parse_mapping
from custctl.customers.recognition import recognise
from custctl.customers.records import BLANK, LONGEST_LINE, OURS, Reading, Record
from custctl.customers.sources import open_source
from custctl.schema.own import Field, OwnFields
from custctl.support.errors import InvalidError

REASON = '`city` says "no", again; and\tagain'


def rejected(data: bytes, chosen: Any, **options: Any) -> tuple[list[Record], bytes]:
    """Reject every record of a file; return the records and the file of rejects, written as an import writes it."""
    file = io.BytesIO(data)
    encoding = recognise(file, options.pop("encoding", None))
    source = open_source(file, Reading(chosen, encoding, parse_mapping(options.pop("mapping", ())), **options))
    written = io.BytesIO()
    kept = io.TextIOWrapper(written, encoding=source.encoding.name, errors="surrogateescape", newline="")
    records = [record for record in source.records() if record.problem is not BLANK]
    for number, record in enumerate(records):
        source.reject(kept, record, record.problem or REASON, first=number == 0)
    kept.flush()
    return records, written.getvalue()


def held(record: Record) -> tuple[Any, ...]:
    """Return all of a record but its line; white space at the end of a line of JSON is nothing."""
    raw = record.raw.rstrip(" \t\r\n") if isinstance(record.raw, str) else record.raw
    return (*record[1:3], raw, record.problem)


def assert_stays(data: bytes, chosen: Any, **options: Any) -> list[Record]:
    """Reject a file three times; each round finds the same rows, with the same problems, and writes the same text."""
    first, kept = rejected(data, chosen, **options)
    for _ in range(2):
        again, written = rejected(kept, chosen, **options)
        assert [held(record) for record in again] == [held(record) for record in first]
        # The line is that of the file which is read; else nothing is different.
        assert len(written.splitlines()) == len(kept.splitlines())
        kept = written
    last, written = rejected(kept, chosen, **options)
    assert (last, written) == (again, kept)
    return first


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "cp1252"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^"])
@settings(max_examples=40)
@given(st.lists(st.text(st.sampled_from('ab ,;"~~~~é\r\n\0'), max_size=12), min_size=1, max_size=6))
def test_csv_of_any_kind(encoding: str, delimiter: str, lines: list[str]) -> None:
    text = "".join(f"{line}\n" for line in ["email~city", "a@x.com~Rome", *lines]).replace("~", delimiter)
    if delimiter == "^":
        text = f"sep=^\n{text}"
    named = {"encoding": encoding} if encoding == "cp1252" else {}
    assert_stays(text.encode(encoding), "csv", **named)


@settings(max_examples=3 * settings().max_examples)
@given(st.binary(max_size=40))
def test_csv_of_any_bytes(data: bytes) -> None:
    assert_stays(b"email,city\na@x.com,Rome\n" + data, "csv")


json_texts = st.one_of(
    st.sampled_from(
        [
            "nonsense", '["x"]', "42", "null", '"text"', '{"email": "a@x.com", "email": "b@x.com"}', '{"n": 1.50}',
            '  {"a":"\\ud800"}  ', '{"a": {"_line": 1, "_reason": "x"}}', '{"_raw": "{}", "email": "x"}', "{" * 40,
            "[" * 100_000, '{"a": ' + "9" * 5000 + "}", '{"_raw": 5}', '{"a": "\x1b"}', '{"email": "a", "E-Mail": "b"}',
            '{"a": "_line\\": 3"}', '{"_raw": "{\\"_raw\\": \\"x\\"}", "a": 1}',
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=20),
    st.dictionaries(st.text(max_size=5).filter(lambda key: key not in OURS), st.text(max_size=5) | st.none() | st.integers(), max_size=3).map(json.dumps),
)  # fmt: skip


@pytest.mark.parametrize("encoding", ENCODINGS[:-1])
@settings(max_examples=60)
@given(st.lists(json_texts, min_size=1, max_size=4))
def test_json_lines_of_any_kind(encoding: str, lines: list[str]) -> None:
    # The first line shows that the file is JSON lines, and in which encoding.
    text = "".join(f"{line}\n" for line in ['{"email": "a@x.com"}', *lines])
    first = assert_stays(text.encode(encoding, "surrogatepass"), "jsonl")
    assert all(record.raw.rstrip() in text or '"_raw"' in record.raw for record in first)


@settings(max_examples=2 * settings().max_examples)
@given(st.binary(max_size=30))
def test_json_lines_of_any_bytes(data: bytes) -> None:
    assert_stays(b'{"email": "a@x.com"}\n' + data, "jsonl")
    _, kept = rejected(b'{"email": "a@x.com"}\n{"a": "\xf6"}\nK\xf6ln\n', "jsonl")
    assert kept.count(b"\xf6") == 2


def test_a_line_may_grow_as_it_is_rejected() -> None:
    line = "\1" * (LONGEST_LINE - 10)
    first = assert_stays(f"{line}\n".encode(), "jsonl")
    assert json.loads(first[0].raw) == {"_raw": line}
    assert_stays(json.dumps({"email": "a", "x": "y" * (LONGEST_LINE - 40)}).encode() + b"\n", "jsonl")


def test_what_an_older_version_wrote_twice_is_read() -> None:
    line = '{"email": "a@x.com", "_line": 5, "_reason": "x", "_line": 1, "_reason": "y"}\n'
    (record,), kept = rejected(line.encode(), "jsonl")
    assert (record.problem, record.cells) == (None, ["a@x.com"])
    assert kept.decode() == json.dumps({"email": "a@x.com", "_line": 1, "_reason": REASON}) + "\n"


def test_columns_of_ours_that_another_tool_has_moved_are_passed_over() -> None:
    line = '{"_line": 5, "_reason": "x", "email": "a@x.com", "email": "b@x.com"}\n{"_reason":"x","a":"b","_line":5}\n'
    found, kept = rejected(line.encode(), "jsonl")
    assert [record.problem for record in found] == ["has a key twice", None]
    assert [record.problem for record in rejected(kept, "jsonl")[0]] == ["has a key twice", None]
    assert json.loads(kept.splitlines()[1]) == {"a": "b", "_line": 2, "_reason": REASON}


def test_a_mended_row_is_read_as_what_it_is_now() -> None:
    _, kept = rejected(b'email,city\na@x.com,"Ro" me\nb@x.com\nc@x.com,Rome,x\n"d@x.com\n', "csv")
    lines = kept.decode().splitlines()
    lines[1] = lines[1].replace('"Ro" me', '"Rome"')
    lines[2] = lines[2].replace("b@x.com,,", "b@x.com,Oslo,")
    lines[3] = lines[3].removesuffix("x")
    lines[4] = lines[4].replace('"d@x.com', "d@x.com,Bonn")
    found, _ = rejected("\n".join(lines).encode(), "csv")
    assert [record.problem for record in found] == [None] * 4
    assert [record.cells[1] for record in found] == ["Rome", "Oslo", "Rome", "Bonn"]
    _, kept = rejected(b'nonsense\n["x"]\n{"email": "c@x.com"}\n', "jsonl")
    text = kept.decode().replace('"nonsense"', json.dumps('{"email": "a@x.com"}'))
    assert [record.cells for record in rejected(text.encode(), "jsonl")[0]] == [["a@x.com"], (), ["c@x.com"]]


def test_what_a_spreadsheet_adds_to_rejects_is_passed_over() -> None:
    text = 'email,city,_line,_reason,\na@x.com,Rome,2,x,\nb@x.com,,3,"has 1 cells, the header has 2",\n'
    found, kept = rejected(text.encode(), "csv")
    assert [(record.raw, record.problem) for record in found] == [
        (["a@x.com", "Rome"], None), (["b@x.com"], "has 1 cells, the header has 2"),
    ]  # fmt: skip
    assert kept.decode().splitlines()[0] == "email,city,_line,_reason"


def test_a_reason_fits_the_encoding() -> None:
    file = io.BytesIO("email,city\na@x.com,é\n".encode("cp1252"))
    source = open_source(file, Reading("csv", recognise(file, "cp1252")))
    kept = io.TextIOWrapper(io.BytesIO(), encoding="cp1252", newline="")
    for record in source.records():
        source.reject(kept, record, "é is not 李", first=True)
    kept.flush()
    assert kept.buffer.getvalue() == b"email,city,_line,_reason\na@x.com,\xe9,2,\xe9 is not \\u674e\n"


def test_the_rejects_begin_as_the_file_does() -> None:
    text = 'sep=;\nemail;city\na@x.com;"Ro" me\n'
    _, kept = rejected(codecs.BOM_UTF16_LE + text.encode("utf-16-le"), "csv")
    assert kept.startswith(codecs.BOM_UTF16_LE + "sep=;\nemail;city;_line;_reason\n".encode("utf-16-le"))


def test_an_object_may_be_longer_than_a_line_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_records, "LONGEST_LINE", 100)
    assert_stays(json.dumps({"email": "a@x.com", "x": "y" * 200}).encode(), "jsonl")
    with pytest.raises(InvalidError, match="line 1 is longer than 100 characters"):
        rejected(json.dumps("y" * 200).encode(), "jsonl")


@pytest.mark.parametrize(
    "first", ["email,first_name,last_name", "E-Mail;Other", "\ufeffemail\tcity", "sep=;", '"email"']
)
def test_csv_that_is_read_as_json_lines_is_named(first: str) -> None:
    with pytest.raises(InvalidError) as caught:
        rejected(f"{first}\na@example.com\n".encode(), "jsonl")
    assert caught.value.hint == "read it with `--format csv`"


@pytest.mark.parametrize("names", [OURS[:1], OURS[1:], OURS, OURS[::-1]])
@pytest.mark.parametrize("chosen", ["csv", "jsonl"])
def test_an_own_field_with_the_name_of_a_column_of_the_rejects_is_data(chosen: Any, names: tuple[str, ...]) -> None:
    own = OwnFields("recorded", [Field(name, "text", "text") for name in names])
    row = {"email": "a@example.com", **dict.fromkeys(names, "own"), "city": "Bonn"}
    fields = tuple(row) if names != OURS[:1] else ("email", "_line")  # one that also ends the row
    held = {name: row[name] for name in fields}
    text = json.dumps(held) if chosen == "jsonl" else f"{','.join(held)}\n{','.join(held.values())}"
    [record] = assert_stays(f"{text}\n".encode(), chosen, own=own)
    assert (record.columns, tuple(record.cells)) == (fields, tuple(held.values()))
