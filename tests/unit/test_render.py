"""stdout: each format, and that no value can break out of its cell."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from custctl.support.errors import UsageError
from custctl.support.text import unguard_formula
from custctl.terminal import layout
from custctl.terminal.ago import ago
from custctl.terminal.formats import Format
from custctl.terminal.render import Renderer

# Said anew, not imported: what is tested must not be the judge. C0, DEL, C1, bidi, line separators, surrogates.
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
COLUMNS = ("id", "name", "phone")
RECORDS = [{"id": 1, "name": "Ada", "phone": None}, {"id": 2, "name": "Grace", "phone": "+1 202"}]
HOSTILE = [
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b31m",
    "a\rb",
    "a\nb",
    "a\tb",
    "\x00",
    "\x7f",
    "\u202eevil",
    "\u2066x\u2069",
    "\u200fx",
    "\u2028x\u2029",
    "[link=https://example.com]x[/link]",
    "[/x]",
    "[bold]",
    "=cmd|' /C calc'!A0",
    "'=x",
    "''=x",
    "@SUM(1)",
    "-1",
    "\U0001f984",
    "漢字",
    "e\u0301",
    "\udcff",
    'a"b,c',
    "'",
    "\\x1b",
    ": #",
    "no",
    "1e3",
    "~",
    "- a",
    "x" * 10_000,
]
ANY = st.text(st.characters(codec=None, exclude_categories=()), max_size=40)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def one(
    chosen: Format, record: dict[str, Any] = RECORDS[1], *, stream: io.StringIO | None = None, **options: Any
) -> str:
    out = stream if stream is not None else io.StringIO()
    Renderer(out, chosen=chosen, **options).one(record, COLUMNS)
    return out.getvalue()


def many(
    chosen: Format,
    records: Sequence[dict[str, Any]] = RECORDS,
    *,
    stream: io.StringIO | None = None,
    next: Any = None,
    shown: Sequence[str] | None = None,
    **options: Any,
) -> str:
    out = stream if stream is not None else io.StringIO()
    Renderer(out, chosen=chosen, **options).many(iter(records), COLUMNS, next=next, shown=shown)
    return out.getvalue()


# -- the formats, to the byte ----------------------------------------------------------------------


def test_tsv_is_what_auto_means_in_a_pipe() -> None:
    assert many(Format.AUTO) == many(Format.TSV) == "id\tname\tphone\n1\tAda\t\n2\tGrace\t+1 202\n"


def test_csv() -> None:
    assert many(Format.CSV) == "id,name,phone\n1,Ada,\n2,Grace,'+1 202\n"


def test_raw_is_exact() -> None:
    assert many(Format.TSV, raw=True).splitlines()[2] == "2\tGrace\t+1 202"
    assert many(Format.CSV, [{"id": 1, "name": "\x1b=x", "phone": "=1"}], raw=True).splitlines()[1] == "1,\x1b=x,=1"


def test_json() -> None:
    assert one(Format.JSON) == '{\n  "id": 2,\n  "name": "Grace",\n  "phone": "+1 202"\n}\n'
    assert many(Format.JSON, next="abc") == (
        '{"items": [\n  {"id": 1, "name": "Ada", "phone": null},\n'
        '  {"id": 2, "name": "Grace", "phone": "+1 202"}\n], "next": "abc"}\n'
    )


def test_an_empty_list() -> None:
    assert many(Format.JSON, []) == '{"items": [], "next": null}\n'
    assert many(Format.TSV, []) == "id\tname\tphone\n"
    assert many(Format.JSONL, []) == ""
    assert yaml.safe_load(many(Format.YAML, [])) == {"items": [], "next": None}
    assert many(Format.TABLE, []) == ""


def test_json_lines() -> None:
    assert many(Format.JSONL).splitlines() == [json.dumps(record) for record in RECORDS]
    assert json.loads(one(Format.JSONL)) == RECORDS[1]


def test_yaml() -> None:
    assert yaml.safe_load(one(Format.YAML)) == RECORDS[1]
    assert yaml.safe_load(many(Format.YAML, next=lambda: "n")) == {"items": RECORDS, "next": "n"}
    assert list(yaml.safe_load(one(Format.YAML))) == list(COLUMNS)


def test_the_cursor_is_asked_for_when_all_records_are_written() -> None:
    seen: list[int] = []

    def records() -> Any:
        for record in RECORDS:
            seen.append(int(str(record["id"])))
            yield record

    out = io.StringIO()
    Renderer(out, chosen=Format.JSON).many(records(), COLUMNS, next=lambda: f"after {len(seen)}")
    assert json.loads(out.getvalue())["next"] == "after 2"


def test_an_explicit_table_is_the_same_everywhere_and_cuts_nothing() -> None:
    records = [{"id": 1, "name": "x" * 500, "phone": None}]
    text = many(Format.TABLE, records)
    assert text == many(Format.TABLE, records, stream=Terminal(), color=True)
    assert "\x1b" not in text
    assert "x" * 500 in text
    assert next(line.split() for line in text.splitlines() if line.strip()) == ["id", "name", "phone"]


def test_auto_is_a_table_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = many(Format.AUTO, stream=Terminal())
    assert "Grace" in text
    assert "\t" not in text
    assert "\x1b" not in text
    assert "\x1b[1m" in many(Format.AUTO, stream=Terminal(), color=True)


WIDE = [
    {"id": 1, "name": "Ada Augusta King, Countess of Lovelace", "phone": "ada.lovelace@analytical.example"},
    {"id": 2, "name": "漢字 漢字 漢字", "phone": ""},
]


@pytest.mark.parametrize("columns", [5, 20, 40, 80, 200])
@pytest.mark.parametrize("may_drop", [False, True])
def test_a_table_on_a_terminal_breaks_no_word_and_loses_nothing_silently(
    monkeypatch: pytest.MonkeyPatch, columns: int, may_drop: bool
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    out, told = Terminal(), list[str]()
    Renderer(out, chosen=Format.AUTO, tell=told.append).many(WIDE, COLUMNS, may_drop=may_drop)
    text = out.getvalue()
    for name in COLUMNS:
        if any(f"`{name}`" in each for each in told):
            continue
        assert name in text
        for record in WIDE:
            assert set(str(record[name]).split()) <= set(text.split())
    assert not told or may_drop
    for line in text.splitlines():
        # What is longer is one word: only the terminal itself folds it, and it is copied whole.
        assert layout.width_of(line) <= columns or len(line.split()) == 1, line


def test_a_narrow_terminal_drops_the_last_columns_first_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    out, told = Terminal(), list[str]()
    renderer = Renderer(out, chosen=Format.AUTO, tell=told.append)
    renderer.many(WIDE, COLUMNS, may_drop=True)
    assert told == [
        "not shown because the terminal is too narrow: `phone`; choose fields with `--fields`, or see all with `--wide`"
    ]
    assert "phone" not in out.getvalue()


def test_fields_that_were_asked_for_are_never_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    out, told = Terminal(), list[str]()
    Renderer(out, chosen=Format.AUTO, fields=COLUMNS, tell=told.append).many(WIDE, COLUMNS, may_drop=True)
    assert told == []
    assert out.getvalue().count("phone") == len(WIDE), "each row is a record"


def test_text_in_a_narrow_table_is_wrapped_at_its_blanks() -> None:
    rows = [("a", "one two three four five six"), ("b", "seven")]
    widths = layout.fitting(("k", "v"), rows, 24)
    assert widths is not None
    assert layout.table(("k", "v"), rows, widths=widths) == [
        "k   v",
        "─" * 24,
        "a   one two three four",
        "    five six",
        "b   seven",
    ]
    assert layout.fitting(("k", "v"), [("a", "x" * 30)], 24) is None


def test_widths_are_those_of_a_terminal() -> None:
    assert [layout.width_of(text) for text in ("abc", "漢字", "e\u0301", "é", "\U0001f984")] == [3, 4, 1, 1, 2]
    # A soft hyphen is shown; the vowel of a Korean syllable joins its consonant.
    assert [layout.width_of(text) for text in ("a\u00adb", "\u1112\u1161\u11ab")] == [3, 2]


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("Lovelace", 8, "Lovelace"),
        ("Lovelace", 7, "Lovela…"),
        ("Ada Byron", 5, "Ada…"),
        ("漢字漢字", 8, "漢字漢字"),
        ("漢字漢字", 7, "漢字漢…"),
        ("漢字漢字", 6, "漢字…"),
        ("Zoe\u0308 Adams", 4, "Zoe\u0308…"),
    ],
)
def test_a_text_is_cut_by_cells(text: str, width: int, shown: str) -> None:
    assert layout.shortened(text, width) == shown
    assert layout.width_of(layout.shortened(text, width)) <= width


NAMES = ("id", "email", "first_name", "company")


def test_a_list_cuts_texts_before_it_leaves_out_a_column() -> None:
    rows = [("1", "ada@example.com", "Ada", "Analytical Engines Ltd"), ("2", "b@example.com", "B", "Labs")]
    found = layout.listed(NAMES, rows, 50, cut={"first_name", "company"}, least=2)
    assert found is not None
    assert found[0] == 4
    assert found[1][2:] == [
        "1    ada@example.com   Ada          Analytical En…",
        "2    b@example.com     B            Labs",
    ]
    found = layout.listed(NAMES, rows, 40, cut={"first_name", "company"}, least=2)
    assert found is not None
    assert found[0] == 3


def test_a_long_email_goes_on_in_a_line_of_its_own_and_is_whole() -> None:
    long = "x" * 40 + "@example.com"
    rows = [("1", long, "Ada", "Labs"), ("2", "b@example.com", "B", "Labs")]
    found = layout.listed(NAMES, rows, 66, cut={"first_name", "company"}, least=2)
    assert found is not None
    assert found[0] == 4
    assert found[1][2:] == [
        f"1    {long}",
        " " * 40 + "Ada          Labs",
        "2    b@example.com" + " " * 22 + "B            Labs",
    ]
    # One that would reach over the edge begins earlier, where it is not broken.
    found = layout.listed(NAMES, rows, 55, cut={"first_name", "company"}, least=2)
    assert found is not None
    assert found[1][2:4] == ["1", "   " + long]
    assert layout.listed(NAMES, rows, 20, cut=(), least=2) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "just now"),
        (59, "just now"),
        (-59, "just now"),
        (60, "1 minute ago"),
        (3599, "59 minutes ago"),
        (3600, "1 hour ago"),
        (86400 * 29, "29 days ago"),
        (86400 * 364, "12 months ago"),
        (86400 * 800, "2 years ago"),
        (-7200, "in 2 hours"),
    ],
)
def test_how_long_ago_a_time_was(seconds: int, words: str) -> None:
    time = "2026-03-04T05:06:07.000Z"
    assert ago(time, datetime.fromisoformat(time) + timedelta(seconds=seconds)) == words


def test_one_record_in_a_table_is_name_and_value() -> None:
    lines = [line.split(maxsplit=1) for line in one(Format.TABLE).splitlines() if line.strip()]
    assert lines == [["id", "2"], ["name", "Grace"], ["phone", "+1 202"]]


def test_a_table_shows_the_columns_that_matter_unless_fields_are_named() -> None:
    assert many(Format.TABLE, shown=("id", "name")).split()[:2] == ["id", "name"]
    assert "phone" not in many(Format.TABLE, shown=("id", "name"))
    assert "phone" in many(Format.TABLE, shown=("id", "name"), fields=["phone"])
    assert many(Format.TSV, shown=("id",)) == many(Format.TSV)


def test_fields_are_chosen_and_ordered_in_every_format() -> None:
    assert many(Format.TSV, fields=["phone", "id"]).splitlines()[0] == "phone\tid"
    assert list(json.loads(one(Format.JSON, fields=["phone", "id"]))) == ["phone", "id"]
    assert list(yaml.safe_load(one(Format.YAML, fields=["phone", "id"]))) == ["phone", "id"]


def test_an_unknown_field_is_told_its_nearest_before_anything_is_written() -> None:
    for chosen in Format:
        out = io.StringIO()
        with pytest.raises(UsageError, match="unknown field `phnoe`") as caught:
            Renderer(out, chosen=chosen, fields=["id", "phnoe"]).many(RECORDS, COLUMNS)
        assert caught.value.hint == "did you mean `phone`?"
        assert out.getvalue() == ""


def test_values_that_are_no_text() -> None:
    row = {"id": True, "name": ("a", "b"), "phone": {"a": [1, None]}}
    assert many(Format.TSV, [row]).splitlines()[1] == 'true\ta,b\t{"a": [1, null]}'
    assert json.loads(many(Format.JSONL, [row])) == {**row, "name": ["a", "b"]}
    # A comma in a name is not taken for the comma between two.
    assert many(Format.TSV, [{"id": 0, "name": ("a,b", "c")}]).splitlines()[1] == '0\t["a,b", "c"]\t'


def test_a_report_is_whole_in_json_and_its_rows_elsewhere() -> None:
    report = {"ok": False, "faults": RECORDS}
    for chosen, expected in (
        (Format.JSON, report),
        (Format.YAML, report),
        (Format.TSV, "id\tname\tphone\n1\tAda\t\n2\tGrace\t+1 202\n"),
    ):
        out = io.StringIO()
        Renderer(out, chosen=chosen).document(report, rows=RECORDS, columns=COLUMNS)
        found = out.getvalue()
        assert (found if isinstance(expected, str) else yaml.safe_load(found)) == expected


# -- hostile values --------------------------------------------------------------------------------


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("chosen", [Format.TABLE, Format.TSV, Format.CSV, Format.JSON, Format.JSONL, Format.YAML])
def test_no_value_steers_the_terminal(chosen: Format, value: str) -> None:
    record = {"id": 1, "name": value, "phone": value}
    for text in (one(chosen, record), many(chosen, [record])):
        assert set(UNSAFE.findall(text)) <= ({"\n", "\t"} if chosen is Format.TSV else {"\n"})
        text.encode()


@pytest.mark.parametrize("value", HOSTILE)
def test_json_and_yaml_round_trip(value: str) -> None:
    record = {"id": 1, "name": value, "phone": None}
    assert json.loads(one(Format.JSON, record)) == record
    assert json.loads(many(Format.JSON, [record]))["items"] == [record]
    assert json.loads(many(Format.JSONL, [record])) == record
    if "\udcff" not in value:  # YAML has no lone surrogates
        assert yaml.safe_load(one(Format.YAML, record)) == record


@pytest.mark.parametrize("value", ["[link=https://example.com]x[/link]", "[/x]", "[bold]x", ":smile:", "\\[x]"])
def test_brackets_are_no_markup(value: str) -> None:
    for chosen in (Format.TABLE, Format.AUTO):
        assert value in one(chosen, {"name": value}, stream=Terminal(), color=True)


@given(st.lists(ANY, min_size=3, max_size=3))
def test_a_line_of_tsv_has_as_many_cells_as_the_header(values: list[str]) -> None:
    lines = many(Format.TSV, [dict(zip(COLUMNS, values, strict=True))]).split("\n")
    assert [line.count("\t") for line in lines] == [2, 2, 0]
    assert lines[2] == ""


@given(st.lists(ANY, min_size=3, max_size=3))
def test_csv_is_read_back_as_the_visible_text(values: list[str]) -> None:
    header, row = csv.reader(io.StringIO(many(Format.CSV, [dict(zip(COLUMNS, values, strict=True))])))
    assert header == list(COLUMNS)
    for value, cell in zip(values, row, strict=True):
        assert not re.match(r"[=+\-@]", cell)
        if not UNSAFE.search(value):
            assert unguard_formula(cell) == value


@given(st.lists(ANY.filter(lambda text: not re.search("[\ud800-\udfff]", text)), min_size=3, max_size=3))
def test_json_and_yaml_round_trip_any_text(values: list[str]) -> None:
    record = dict(zip(COLUMNS, values, strict=True))
    assert json.loads(one(Format.JSON, record)) == record
    assert yaml.safe_load(one(Format.YAML, record)) == record
    assert yaml.safe_load(many(Format.YAML, [record])) == {"items": [record], "next": None}


@given(st.lists(ANY, min_size=1, max_size=5))
def test_an_export_writes_the_same_bytes_as_a_list(names: list[str]) -> None:
    # An export cleans whole blocks at once; a list goes cell by cell.
    rows = [(number, name, None) for number, name in enumerate(names)]
    records = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    for chosen in (Format.CSV, Format.JSONL):
        for raw in (False, True):
            if raw and any(re.search("[\ud800-\udfff]", name) for name in names):
                continue
            out = io.StringIO()
            blocks = [rows[:2], rows[2:]]
            renderer = Renderer(out, chosen=chosen, raw=raw)
            assert renderer.export(COLUMNS, lambda: blocks, lambda: blocks, on_block=lambda _: None).rows == len(rows)  # noqa: B023
            assert out.getvalue() == many(chosen, records, raw=raw)


@pytest.mark.parametrize("chosen", [Format.TABLE, Format.TSV, Format.JSON, Format.YAML])
def test_an_export_is_csv_or_json_lines(chosen: Format) -> None:
    with pytest.raises(UsageError, match=f"cannot export as {chosen}"):
        Renderer(io.StringIO(), chosen=chosen).export(COLUMNS, list, list, on_block=lambda _: None)
