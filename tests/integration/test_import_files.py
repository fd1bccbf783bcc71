"""`custctl customer import` of files as other programs write them: what is read, what is told, what to type next."""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import subprocess
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from custctl.customers.model import EDITABLE
from tests.conftest import Project, Result
from tests.inside import Inside
from tests.integration.rows import customers, emails, finish, numbered, small_batches, start, with_schema, write_csv

NAMES = ("email", "first_name", "last_name")
HEADER = "email,first_name,last_name\n"


@pytest.fixture
def ready(project: Project, migrated_file: Path) -> Inside:
    with_schema(project, migrated_file)
    return Inside(project.path, project.environ)


def write(project: Project, data: str | bytes, name: str = "in.csv") -> Path:
    path = project.path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def load(project: Project, data: str | bytes, *options: str, code: int = 0, name: str = "in.csv") -> Result:
    """Import a file of these bytes."""
    result = project.run("customer", "import", write(project, data, name), *options)
    assert result.code == code, result.err
    return result


def hinted(result: Result, pattern: str = r"`(--[^`]+)`") -> list[str]:
    """Return the words of the first option that the hint offers, as a shell reads them."""
    hint = re.search(r"^hint: (.*)$", result.err, re.MULTILINE)
    assert hint is not None, result.err
    option = re.search(pattern, hint[1])
    assert option is not None, hint[1]
    return shlex.split(option[1])


# -- options ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "character"), [(";", ";"), ("tab", "\t"), ("TAB", "\t"), ("\\t", "\t"), ("^", "^"), ("\x1f", "\x1f")]
)
def test_a_delimiter_that_is_named_overrules(ready: Inside, option: str, character: str) -> None:
    # Commas would fit better, and a first line names them.
    text = f"sep=,\n{HEADER.strip().replace(',', character)},a,b,c\na@example.com{character}A, B{character}C,1,2,3\n"
    text = text.replace("last_name,a,b,c", "last_name").replace("C,1,2,3", "C")
    load(ready, text, "--delimiter", option)
    assert customers(ready, *NAMES) == [("a@example.com", "A, B", "C")]


@pytest.mark.parametrize("option", ["", ";;", '"', "\n", "comma"])
def test_a_delimiter_that_is_none_is_refused(ready: Inside, option: str) -> None:
    result = load(ready, HEADER, "--delimiter", option, code=2)
    assert "is not one character" in result.err
    assert "hint: for example `;`, or `tab`" in result.err


def test_a_delimiter_is_for_csv_alone(ready: Inside) -> None:
    result = load(ready, "{}\n", "--delimiter", ";", code=2, name="in.jsonl")
    assert "`--delimiter` applies only to CSV" in result.err


@pytest.mark.parametrize(("given", "options"), [("sep=;\n", ()), ("", ("--delimiter", "|")), ("sep=|\n", ())])
def test_a_wrong_delimiter_is_told_with_the_one_that_fits(ready: Inside, given: str, options: tuple[str, ...]) -> None:
    data = f"{given}{HEADER}a@example.com,A,B\n"
    result = load(ready, data, *options, code=9)
    assert "the cells are not separated by `" in result.err
    load(ready, data, *hinted(result))
    assert emails(ready) == ["a@example.com"]


@pytest.mark.parametrize("delimiter", list(":^~ ，"))
def test_an_unusual_delimiter_between_known_names_is_told(ready: Inside, delimiter: str) -> None:
    data = f"{HEADER}a@example.com,A,B\n".replace(",", delimiter)
    result = load(ready, data, code=9)
    load(ready, data, *hinted(result))
    assert emails(ready) == ["a@example.com"]


@pytest.mark.parametrize(
    "above",
    ["Customer report\n\n", '"Report of 2026",,\n,,\n', "# exported by a tool\n", "\nsep=,\n", "sep=,\nReport\n"],
)
def test_lines_above_the_header_are_told(ready: Inside, above: str) -> None:
    result = load(ready, f"{above}{HEADER}a@example.com,A,B\n", code=9)
    assert f"hint: line {above.count(chr(10)) + 1} looks like the header: remove the lines above it" in result.err


@pytest.mark.parametrize("codec", ["utf-8", "utf-16"])
def test_a_first_customer_is_not_taken_for_the_header(ready: Inside, codec: str) -> None:
    result = load(ready, "a@example.com,A,B\nb@example.com,C,D\n".encode(codec), code=9)
    header = hinted(result, r"`([^`-][^`]*)`")[0]
    load(ready, f"{header}\na@example.com,A,B\nb@example.com,C,D\n".encode(codec))
    assert emails(ready) == ["a@example.com", "b@example.com"]


@pytest.mark.parametrize("data", [b"\0\1\0\0Standard Jet DB\0", b"email,\0\n", b"PK\5\6" + bytes(18)])
def test_a_binary_file_is_named_as_such(ready: Inside, data: bytes) -> None:
    assert "error: the file is binary, not CSV or JSON lines" in load(ready, data, code=9).err


@pytest.mark.parametrize("end", ["\x85", "\u2028", "\x1e", "\f", "\\n"])
@pytest.mark.parametrize("header", [HEADER, "first_name,last_name,email\n"])
def test_rows_that_end_with_something_else_than_a_line_are_not_taken_for_the_header(
    ready: Inside, header: str, end: str
) -> None:
    told = load(ready, f"{header}a@example.com,b@example.com,c@example.com\n".replace("\n", end), code=9).err
    assert "the file is a single line, and its header contains an address" in told


@pytest.mark.parametrize("mark", ["~", "^", "'"])
def test_a_delimiter_of_several_characters_is_told(ready: Inside, mark: str) -> None:
    """The address is the last cell, so that it would be valid with one of them before it."""
    lines = ["first_name,last_name,email", "Ada,Lovelace,ada@example.com"]
    told = load(ready, "".join(line.replace(",", f"{mark},{mark}") + "\n" for line in lines), code=9).err
    assert f"the cells are separated by `{mark},{mark}`, or enclosed in `{mark}`" in told
    load(ready, HEADER.replace(",", f"{mark},{mark}"))  # a header alone may be named so
    load(ready, "email*,first_name*,*last_name\na@example.com,A,B\n")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ('"email,first_name,last_name"\n"a@example.com,A,B"\n', "each line is in quotes as a whole"),
        ("email           first_name   last_name\na@example.com   A            B\n", "the columns have a fixed width"),
        ("email\x1ffirst_name\x1flast_name\n", "--delimiter $'\\x1f'"),
        ('"\0email,first_name"x\n', "the file is binary"),
        ("mail,name\nx,\0\n", "the file is binary"),
    ],
)
def test_a_form_that_is_no_csv_is_named(ready: Inside, data: str, told: str) -> None:
    assert told in load(ready, data, code=9).err


def test_a_formula_that_is_a_text_is_that_text(ready: Inside) -> None:
    """So programs keep the zeros that a spreadsheet takes away; custctl itself puts a guard before what begins with `=`."""
    rows = [("0049 30", 'The "Big" Shop'), ('="x"', "=1+1")]
    header = "email,first_name,last_name,phone,company\n"
    load(
        ready,
        f'{header}a@example.com,A,B,"=""0049 30""","=""The """"Big"""" Shop"""\nb@example.com,A,B,"\'=""x""",=1+1\n',
    )
    assert customers(ready, "phone", "company") == rows
    load(ready, ready.ok("customer", "export").out, "--on-conflict", "update")
    assert customers(ready, "phone", "company") == rows
    load(ready, f'{header}c@example.com,A,B,"=""1""",\n', "--raw")
    assert customers(ready, "phone", "company")[-1] == ('="1"', None)


def test_the_nulls_of_a_database_are_told(ready: Inside) -> None:
    told = load(
        ready, "email,first_name,last_name,phone,city\na@example.com,A,Null,NULL,\\N\nb@example.com,B,C,NULL,x\n"
    ).err
    assert "warning: 3 cells in `phone`, `city` have the text `NULL` or `\\N`" in told
    assert "warning" not in load(ready, f"{HEADER}c@example.com,C,Null\n").err


@pytest.mark.parametrize("name", ["cp1252", "latin-1", "mac_roman"])
def test_utf8_that_is_read_as_something_else_is_told(ready: Inside, name: str) -> None:
    assert "the file looks like UTF-8 text" in load(ready, f"{HEADER}a@example.com,René,B\n", "--encoding", name).err
    data = f"{HEADER}b@example.com,René,B\n".encode(name)
    assert "UTF-8" not in load(ready, data, "--encoding", name).err
    assert customers(ready, "first_name")[-1] == ("René",)


def test_quotes_between_tabs_are_told(ready: Inside) -> None:
    data = 'email\tfirst_name\tlast_name\na@example.com\t"A"\tB\n'
    result = load(ready, data)
    assert "quotes around a cell are not part of its value" in result.err
    assert customers(ready, "first_name") == [("A",)]
    assert "quotes around" not in load(ready, data.replace('"', "").replace("a@", "b@")).err
    assert "quotes around" not in load(ready, f'{HEADER}c@example.com,"C",D\n').err


@pytest.mark.parametrize("line", ["sep=;", "SEP=;", '"sep=;"', "sep=;\r"])
def test_a_first_line_names_the_delimiter_and_the_rejects_begin_with_it(ready: Inside, line: str) -> None:
    text = f"{line}\nemail;first_name;last_name\na@example.com;A, x, y;B\nno address;C, x, y;D\n"
    load(ready, text, "--rejects", "rejects.csv", code=10)
    assert customers(ready, *NAMES) == [("a@example.com", "A, x, y", "B")]
    kept = (ready.path / "rejects.csv").read_text()
    assert kept.startswith(f"{line.rstrip()}\nemail;first_name;last_name;_line;_reason\nno address;C, x, y;D;4;")
    load(ready, kept.replace("no address", "c@example.com"))
    assert emails(ready) == ["a@example.com", "c@example.com"]


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("cp1252", "Jörg “X” 5 €"), ("latin-1", "Jörg"), ("shift_jis", "佐藤 ソ 表"), ("gb18030", "王小明"), ("cp1251", "Иван"),
        ("koi8-r", "Иван"), ("utf-16", "Jörg 佐藤"), ("utf-16-be", "Jörg"), ("utf-32", "Jörg"), ("utf-8-sig", "Jörg"),
    ],
)  # fmt: skip
def test_an_encoding_that_is_named_is_that_of_the_file_and_of_its_rejects(
    ready: Inside, encoding: str, name: str
) -> None:
    text = f"{HEADER}a@example.com,{name},B\nno address,{name},B\n"
    load(ready, text.encode(encoding), "--encoding", encoding, "--rejects", "rejects.csv", code=10)
    assert customers(ready, "first_name") == [(name,)]
    kept = (ready.path / "rejects.csv").read_bytes().decode(encoding)
    assert f"no address,{name},B,3," in kept
    mended = kept.replace("no address", "c@example.com").encode(encoding)
    load(ready, mended, "--encoding", encoding)
    assert customers(ready, "first_name") == [(name,), (name,)]


@pytest.mark.parametrize("name", ["", "utf-9", "base64", "idna"])
def test_an_encoding_that_is_none_is_refused(ready: Inside, name: str) -> None:
    assert f"`--encoding {name}` is not known" in load(ready, HEADER, "--encoding", name, code=2).err


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\u2028", "\n\n", " \n "])
@pytest.mark.parametrize("name", ["in.csv", "in.jsonl"])
def test_lines_of_a_cell_are_joined_where_asked_and_the_row_is_rejected_with_the_option_else(
    ready: Inside, end: str, name: str
) -> None:
    cell = f"1 Main St{end}Flat 2"
    text = f'email,first_name,last_name,address_line\na@example.com,A,B,"{cell}"\n'
    if name == "in.jsonl":
        import json

        row = {"email": "a@example.com", "first_name": "A", "last_name": "B", "address_line": cell}
        text = json.dumps(row) + "\n"
    result = load(ready, text, "--dry-run", code=10, name=name)
    assert "--map" not in result.err
    if "\u2028" not in end:
        assert "(`--join-lines` joins the lines of a cell)" in result.err
    load(ready, text, "--join-lines", name=name)
    assert customers(ready, "address_line") == [("1 Main St, Flat 2",)]


def test_empty_rows_are_skipped_and_counted(ready: Inside) -> None:
    text = f'{HEADER}\n,,\na@example.com,A,B\n  , ,\t\n\n,,,,\n,\n"","",""\nb@example.com,B,C\n'
    result = load(ready, text, "--rejects", "rejects.csv", "-o", "json")
    assert (result.json["inserted"], result.json["skipped"], result.json["rejected"]) == (2, 5, 0)
    assert "skipped 5 empty rows" in result.err
    assert not (ready.path / "rejects.csv").exists()
    result = load(ready, '{"email": "c@example.com", "first_name": "C", "last_name": "D"}\n{}\n{"email": null}\n\n',
                  name="in.jsonl")  # fmt: skip
    assert "skipped 2 empty rows" in result.err


# -- trailing delimiters and rejects ---------------------------------------------------------------


def test_empty_cells_behind_the_last_column_are_nothing(ready: Inside) -> None:
    text = f"{HEADER}a@example.com,A,B,,\nb@example.com,B,C, ,\nc@example.com,C,D,,x\nd@example.com,D\n"
    load(ready, text, "--rejects", "rejects.csv", code=10)
    assert emails(ready) == ["a@example.com", "b@example.com"]
    # What is wrong stays wrong, however often it is imported unmended.
    for _ in range(2):
        kept = (ready.path / "rejects.csv").read_text()
        load(ready, kept, "--rejects", "rejects.csv", code=10, name="again.csv")
        assert emails(ready) == ["a@example.com", "b@example.com"]
        assert re.sub(LINE, "", kept) == re.sub(LINE, "", (ready.path / "rejects.csv").read_text())
    load(ready, kept.replace(",,x", "").replace("d@example.com,D,", "d@example.com,D,E"))
    assert emails(ready) == [f"{letter}@example.com" for letter in "abcd"]


cells = st.one_of(
    st.sampled_from(["'=x", "=x", "''", "'", "'@", '"', '"q"', 'a"b', "+1", "-", "a, b", "x;y", "|", "", "\\n"]),
    st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z", "M"]), max_size=8),
)  # fmt: skip
LINE = r"\d+(?=,\"has)"


@pytest.mark.parametrize("chosen", ["csv", "tsv"])
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(["'=x", "=x", "''@"])
@given(names=st.lists(cells.filter(bool), min_size=1, max_size=6))
def test_a_guard_is_taken_away_where_it_was_put_alone(
    ready: Inside, migrated_file: Path, chosen: str, names: Sequence[str]
) -> None:
    """What `list` writes is read as the same values, between commas and between tabs."""
    if chosen == "tsv":
        # Between tabs a quote is a quote of CSV for who reads, and a value for who writes.
        names = [name.replace('"', "") or "x" for name in names]
    names = [unicodedata.normalize("NFC", name) for name in names]
    for path in ready.path.glob("dev.db*"):
        path.unlink()
    with_schema(ready, migrated_file)
    connection = ready.database()
    connection.executemany(
        "INSERT INTO customer (email, first_name, last_name) VALUES (?, ?, 'B')",
        [(f"c{number}@example.com", name) for number, name in enumerate(names)],
    )
    connection.close()
    before = customers(ready, *EDITABLE)
    text = ready.ok("customer", "list", "-o", chosen, "--limit", "0").out
    for path in ready.path.glob("dev.db*"):
        path.unlink()
    with_schema(ready, migrated_file)
    load(ready, text)
    assert customers(ready, *EDITABLE) == before


# -- hints -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "values", "is_other"),
    [
        ("status", ["paid"] * 3 + ["active"], True),
        ("status", ["paid", "active", "active"], False),
        ("status", ["paid"] + [""] * 20, True),
        ("region", ["x" * 300, "", "", ""], True),
        ("region", ["x" * 300, "ok", "ok", ""], False),
        ("phone", ["4.42E+11"] * 4, False),
        ("phone", ["4.42e11"] * 4, False),
        ("postal_code", ["1E+5"] * 4, False),
        ("address_line", ['"a\nb"'] * 4, False),
        ("city", ["a\tb"] * 4, False),
    ],
)
def test_a_column_is_said_to_be_another_where_most_of_what_it_holds_does_not_fit(
    ready: Inside, column: str, values: Sequence[str], is_other: bool
) -> None:
    rows = "".join(f"c{number}@example.com,A,B,{value}\n" for number, value in enumerate(values))
    text = f"email,first_name,last_name,{column}\n{rows}"
    result = load(ready, text, code=10)
    assert (f"`--map {column}=`" in result.err) is is_other
    assert ("--map" in result.err) is is_other
    if is_other:
        load(ready, text, *hinted(result), "--on-conflict", "skip")
        assert len(emails(ready)) == len(values)


def test_empty_cells_are_not_said_to_be_of_another_column(ready: Inside) -> None:
    load(ready, f"{HEADER}a@example.com,A,B\nb@example.com,B,C\n")
    text = "email,status\na@example.com,\nb@example.com,\n"
    result = load(ready, text, "--on-conflict", "update", code=10)
    assert "`status` must be `active`" in result.err
    assert "--map" not in result.err


def test_a_column_that_was_mapped_is_not_left_out_by_a_second_option(ready: Inside) -> None:
    text = "email,first_name,last_name,State\na@example.com,A,B,paid\n"
    result = load(ready, text, "--map", "status=State", code=10)
    assert "`State` may not hold `status`: map another column, or none" in result.err
    assert "`--map status=`" not in result.err


@pytest.mark.parametrize("encoding", ["cp1252", "cp1250", "cp1251", "mac_roman"])
def test_bytes_that_are_no_utf8_name_the_encoding_that_fits(ready: Inside, encoding: str) -> None:
    named = {"cp1250": "Łukasz Šťastný", "cp1251": "Иван Петров"}.get(encoding, "Jörg Müller-Lefèvre")
    text = f"{HEADER}a@example.com,{named},B\nb@example.com,Bo,Berg\n"
    result = load(ready, text.encode(encoding), code=10)
    assert "line 2: `first_name` is not UTF-8" in result.err
    assert hinted(result) == ["--encoding", encoding]
    again = hinted(result, r"`(--on-conflict [^`]+)`")
    load(ready, text.encode(encoding), *hinted(result), *again)
    assert customers(ready, "first_name") == [(named,), ("Bo",)]


def test_rejects_with_bytes_that_are_no_utf8_are_imported_with_the_encoding_that_is_named(ready: Inside) -> None:
    data = f"{HEADER}a@example.com,Jörg,B\nb@example.com,Bo,Berg\n".encode("cp1252")
    result = load(ready, data, "--rejects", "rejects.csv", code=10)
    assert "on-conflict" not in result.err
    load(ready, (ready.path / "rejects.csv").read_bytes(), *hinted(result))
    assert customers(ready, "first_name") == [("Jörg",), ("Bo",)]


def test_a_file_that_is_utf8_but_for_some_bytes_is_not_said_to_be_another(ready: Inside) -> None:
    data = f"{HEADER}a@example.com,Jörg,B\n".encode() + b"b@example.com,J\xf6rg,B\n"
    result = load(ready, data, code=10)
    assert "looks like" not in result.err
    assert "if the file has another encoding, name it with `--encoding`" in result.err


def test_a_header_with_bytes_that_are_no_utf8_names_the_encoding(ready: Inside) -> None:
    text = "Email,Prénom,Nom\na@example.com,Éléonore,Lefèvre\n".encode("cp1252")
    maps = ("--map", "first_name=Prénom", "--map", "last_name=Nom")
    result = load(ready, text, *maps, code=2)
    assert "the file has no column `Prénom`" in result.err
    load(ready, text, *maps, *hinted(result))
    assert customers(ready, *NAMES) == [("a@example.com", "Éléonore", "Lefèvre")]


@pytest.mark.parametrize("names", ["Prénom,Nom", "first_name,last_name,Téléphone"])
def test_a_column_with_such_a_name_is_not_ignored_without_the_encoding(ready: Inside, names: str) -> None:
    text = f"email,{names}\na@example.com,A,B{',1' * (names.count(',') - 1)}\n".encode("cp1252")
    result = load(ready, text, code=10 if names.startswith("P") else 0)
    assert "hint: the file looks like Western Windows text: `--encoding cp1252` reads it" in result.err


@pytest.mark.parametrize("header", ["Kontakt", "E mail address", "it's", "Mail, private", "$(rm)", "Correo Ñ"])
def test_the_column_with_the_addresses_is_offered_as_the_shell_takes_it(ready: Inside, header: str) -> None:
    write_csv(ready.path / "in.csv", ("first_name", header, "last_name"), [("A", "a@example.com", "B"), ("", "", "")])
    result = ready.run("customer", "import", "in.csv")
    assert result.code == 9
    assert "no column matches `email`" in result.err
    ready.ok("customer", "import", "in.csv", *hinted(result))
    assert emails(ready) == ["a@example.com"]


@pytest.mark.parametrize(
    "rows", [[("A", "B")], [("a@example.com", "b@example.com")], []]
)  # fmt: skip
def test_where_no_column_or_several_hold_addresses_no_command_is_made_up(
    ready: Inside, rows: list[tuple[str, str]]
) -> None:
    write_csv(ready.path / "in.csv", ("x", "y"), rows)
    result = ready.run("customer", "import", "in.csv")
    assert result.code == 9
    assert "hint: name the email column with `--map`; columns: x, y" in result.err


def test_two_columns_for_one_field_are_settled_by_the_option_that_is_offered(ready: Inside) -> None:
    text = "email,E Mail,first_name,last_name\na@example.com,b@example.com,A,B\n"
    result = load(ready, text, code=2)
    load(ready, text, *hinted(result))
    assert emails(ready) == ["b@example.com"]


def test_the_file_of_rejects_that_is_offered_can_be_written(ready: Inside) -> None:
    text = f"{HEADER}no address,A,B\n"
    result = load(ready, text, code=10, name="new customers.csv")
    assert hinted(result) == ["--rejects", "new customers.rejects.csv"]
    load(ready, text, *hinted(result), code=10, name="new customers.csv")
    assert (ready.path / "new customers.rejects.csv").read_text().startswith(HEADER.strip())


# -- rough files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("data", ["", "\n\n", "  \n \t\n", "\ufeff", "sep=;\n"])
def test_a_file_with_nothing_in_it_is_empty(ready: Inside, data: str) -> None:
    assert "error: the file is empty\nhint: it needs a header" in load(ready, data, code=9).err


def test_a_mark_of_utf8_before_another_encoding_is_taken_off(ready: Inside) -> None:
    data = b"\xef\xbb\xbfEmail;first_name;last_name\na@example.com;J\xf6rg;B\n"
    load(ready, data, *hinted(load(ready, data, code=10)))
    assert customers(ready, "first_name") == [("Jörg",)]


def test_headers_that_are_not_text_do_not_fill_the_screen(ready: Inside) -> None:
    for data in (b"\0" * 5000, b"x," * 5000):
        assert len(load(ready, data, code=9).err) < 2000


@pytest.mark.parametrize("quote", ["", '"q"'])
def test_a_row_of_very_many_cells_is_one_bad_row(ready: Inside, quote: str) -> None:
    data = f"{HEADER}a@example.com,A,{quote}{',x' * 100_000}\nb@example.com,B,C\n"
    result = load(ready, data, "--rejects", "rejects.csv", code=10)
    assert "line 2: has more than 65536 cells" in result.err
    load(ready, (ready.path / "rejects.csv").read_bytes(), "--rejects", "again.csv", code=10)
    assert len((ready.path / "again.csv").read_bytes()) == len((ready.path / "rejects.csv").read_bytes())
    assert emails(ready) == ["b@example.com"]


def test_a_file_of_which_the_device_gives_nothing_is_said_to_be_unreadable(ready: Inside) -> None:
    result = ready.run("customer", "import", "/proc/self/mem")
    assert (result.code, "error: the file cannot be read: " in result.err) == (3, True)
    result = ready.run("customer", "import", ".")
    assert (result.code, "is a directory" in result.err.lower()) == (2, True)


# -- a file that changes ---------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["grown", "cut", "altered"])
def test_a_file_that_changes_while_it_is_read_ends_the_import_and_nothing_of_the_change_lands(
    ready: Inside, migrated_file: Path, change: str
) -> None:
    rows = [(*row, "x" * 100) for row in numbered(30_000)]
    file = write_csv(ready.path / "in.csv", (*NAMES, "company"), rows)
    before = file.read_bytes()
    for signalled in ("1 begun SIGSTOP", "2 after SIGSTOP"):
        file.write_bytes(before)
        for path in ready.path.glob("dev.db*"):
            path.unlink()
        with_schema(ready, migrated_file)
        process = start(ready, small_batches(ready, 1000, "customer", "import", "in.csv", signal=signalled))
        assert_stopped(process)
        added = b"intruder@example.com,I,N,x\n"
        with file.open("r+b") as opened:
            if change == "cut":
                opened.truncate(len(before) - 2000)
            else:
                opened.seek(0 if change == "grown" else -len(added), 2)
                opened.write(added)
        process.send_signal(signal.SIGCONT)
        code, out, err = finish(process, timeout=300)
        assert (code, out) == (9, ""), err
        assert "error: the file changed while it was being read" in err
        assert "before the error, " in err
        landed = emails(ready)
        assert "intruder@example.com" not in landed
        assert set(landed) <= {row[0] for row in rows}
        assert f"{len(landed)} rows processed and committed" in err
    if change == "grown":
        # As the hint says.
        ready.ok("customer", "import", "in.csv", "--on-conflict", "skip")
        assert len(emails(ready)) == len(rows) + 1


def assert_stopped(process: subprocess.Popen[bytes]) -> None:
    """Wait until a process has stopped itself."""
    import os

    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status), status


@pytest.mark.parametrize("change", ["replaced", "removed"])
def test_a_file_that_is_replaced_or_removed_meanwhile_is_imported_as_it_was(ready: Inside, change: str) -> None:
    file = write_csv(ready.path / "in.csv", NAMES, numbered(300))
    process = start(ready, small_batches(ready, 100, "customer", "import", "in.csv", signal="1 begun SIGSTOP"))
    assert_stopped(process)
    if change == "removed":
        file.unlink()
    else:
        other = write_csv(ready.path / "other.csv", NAMES, [("intruder@example.com", "I", "N")])
        shutil.move(other, file)
    process.send_signal(signal.SIGCONT)
    code, _, err = finish(process, timeout=300)
    assert code == 0, err
    assert len(emails(ready)) == 300
