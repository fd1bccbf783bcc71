"""Scripts on disk: names, decoding, checksums, directives, substitution, diffs."""

from __future__ import annotations

import codecs
import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custctl.migrations.authoring import new_scripts, next_number, slug
from custctl.migrations.directives import Directives, parse_directives
from custctl.migrations.scripts import ScriptSet, checksum, diff, discover, normalise, seed_sets
from custctl.migrations.substitution import mask, substitute
from custctl.support.errors import CredentialError, ExitCode, MigrationError, UsageError


@pytest.fixture
def sql(tmp_path: Path) -> Path:
    for folder in ("migrations", "repeatable", "seed/reference", "seed/demo"):
        (tmp_path / "sqlite" / folder).mkdir(parents=True)
    return tmp_path


def write(sql: Path, name: str, data: bytes | str = "SELECT 1;\n", engine: str = "sqlite") -> Path:
    path = sql / engine / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def read_all(sql: Path) -> list[Directives]:
    found = discover(sql, "sqlite")
    seeds = seed_sets(sql, "sqlite").values()
    return [script.directives for scripts in (found.versioned, found.repeatable, *seeds) for script in scripts]


def refused(sql: Path, *words: str) -> MigrationError:
    with pytest.raises(MigrationError) as caught:
        read_all(sql)
    assert caught.value.exit_code == ExitCode.MIGRATION
    for word in words:
        assert word in caught.value.message + (caught.value.hint or "")
    return caught.value


# Discovery.


def test_discovers_in_the_order_of_numbers(sql: Path) -> None:
    for name in ("0010_ten.sql", "2_add_phone-number.sql", "0001_create_customer.sql", "20260101120000_late.sql"):
        write(sql, f"migrations/{name}")
    write(sql, "repeatable/b.sql")
    path = write(sql, "repeatable/A view.sql", "-- custctl: substitute\nSELECT 1")
    found = discover(sql, "sqlite")
    assert [script.version for script in found.versioned] == [1, 2, 10, 20260101120000]
    first, second = found.versioned[:2]
    assert (first.kind, first.name) == ("versioned", "migrations/0001_create_customer.sql")
    assert second.description == "add phone-number"
    assert [script.description for script in found.repeatable] == ["A view", "b"]
    script = found.repeatable[0]
    assert (script.kind, script.version, script.name, script.path) == (
        "repeatable",
        None,
        "repeatable/A view.sql",
        path,
    )
    assert script.directives.substitute
    assert hash(script) == hash(discover(sql, "sqlite").repeatable[0])


def test_seed_sets(sql: Path) -> None:
    write(sql, "seed/reference/02_b.sql")
    write(sql, "seed/reference/01_a.sql")
    found = seed_sets(sql, "sqlite")
    assert list(found) == ["demo", "reference"]
    assert found["demo"] == []
    assert [script.description for script in found["reference"]] == ["reference/01_a", "reference/02_b"]
    assert found["reference"][0].name == "seed/reference/01_a.sql"
    assert found["reference"][0].kind == "seed"


def test_a_seed_script_outside_a_set_is_refused(sql: Path) -> None:
    write(sql, "seed/stray.sql")
    refused(sql, "`seed/stray.sql`", "no set")


def test_missing_folders_inside_an_engine_are_empty(tmp_path: Path) -> None:
    (tmp_path / "sqlite").mkdir()
    assert discover(tmp_path, "sqlite") == ScriptSet((), ())
    assert seed_sets(tmp_path, "sqlite") == {}


def test_a_missing_engine_names_those_that_are_there(sql: Path) -> None:
    (sql / "postgresql").mkdir()
    (sql / "README.md").touch()
    with pytest.raises(MigrationError) as caught:
        discover(sql, "mssql")
    assert caught.value.hint == "it has: `postgresql`, `sqlite`"
    with pytest.raises(MigrationError):
        discover(sql / "nowhere", "sqlite")


def test_what_lies_deep_in_another_project_is_left_alone(sql: Path) -> None:
    write(sql, "migrations/0001_a.sql")
    write(sql, "../app/vendor/lib/migrations/0001_other.sql")
    assert [script.name for script in discover(sql, "sqlite").versioned] == ["migrations/0001_a.sql"]


def test_rubbish_is_left_alone(sql: Path) -> None:
    rubbish = (
        "README.md",
        "__init__.py",
        ".0001_a.sql.swp",
        "._0001_a.sql",
        "0001_a.sql~",
        "#0001_a.sql#",
        "0001_a.sql.bak",
        ".#0001_a.sql",
    )
    for name in rubbish:
        write(sql, f"migrations/{name}")
    os.symlink("nobody@nowhere", sql / "sqlite/migrations/.#0002_a.sql")
    assert discover(sql, "sqlite").versioned == ()


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("migrations/2024/0001_a.sql", "`migrations/2024` is a folder"),
        ("repeatable/views/a.sql", "`repeatable/views` is a folder"),
        ("seed/demo/more/a.sql", "`demo/more` is a folder"),
        ("Repeatable/a.sql", "rename it to `repeatable`"),
        ("MIGRATIONS/0001_a.sql", "rename it to `migrations`"),
        ("migration/0001_a.sql", "rename it to `migrations`"),
        ("seeds/demo/a.sql", "rename it to `seed`"),
        ("down/0001_a.sql", "would never run"),
        ("views/more/a.sql", "`sqlite/views` would never run"),
        ("../0001_a.sql", "folder `migrations` of its engine"),
        ("../migrations/0001_a.sql", "move it into the folder of its engine"),
        ("../SQLite/migrations/0001_a.sql", "rename it to `sqlite`"),
        ("../sqlite3/0001_a.sql", "rename it to `sqlite`"),
        ("../postgres/migrations/0001_a.sql", "rename it to `postgresql`"),
        ("0001_a.sql", "would never run"),
        ("seed/a.sql.txt", "belongs to no set"),
        ("repeatable/a.SQL", "does not end in `.sql`"),
        ("repeatable/a.sql.txt", "does not end in `.sql`"),
        ("repeatable/a.psql", "does not end in `.sql`"),
        ("repeatable/a.DDL", "does not end in `.sql`"),
        ("seed/demo/a.tsql", "does not end in `.sql`"),
        ("migrations/add_phone.pgsql", "not named like a migration"),
        ("a.ddl", "would never run"),
        ("migrations/1001 add phone", "not named like a migration"),
        ("migrations/1975ea83b712_create.py", "write it as SQL"),
        ("migrations/changelog.xml", "write it as SQL"),
        ("repeatable/views.yaml", "write it as SQL"),
        ("../all/migrations/0001_a.sql", "not the folder of an engine"),
        ("../sql/sqlite/migrations/0001_a.sql", "not the folder of an engine"),
    ],
)
def test_nothing_that_may_be_meant_as_a_script_is_silently_left_out(sql: Path, name: str, word: str) -> None:
    write(sql, name)
    refused(sql, word)


@pytest.mark.parametrize(
    ("marker", "tool"),
    [
        ("-- migrate:up", "dbmate"),
        ("-- migrate:down transaction:false", "dbmate"),
        ("--migrate:down", "dbmate"),
        ("-- +goose Down", "goose"),
        ("-- +migrate Up", "sql-migrate"),
        ("--//@UNDO", "MyBatis"),
        ("-- @UNDO", "MyBatis"),
        ("-- rambler down", "rambler"),
        ("# --- !Downs", "Play Evolutions"),
        ("-- !Downs", "Play Evolutions"),
        ("-- Down Migration", "node-pg-migrate"),
        ("---- create above / drop below ----", "tern"),
        ("-- ==== DOWN ====", "shmig"),
        ("-- ====  DOWN  ====", "shmig"),
        ("-- +micrate Down", "micrate"),
        ("-- Down", "node-sqlite"),
        ("--Down ---", "node-sqlite"),
        ("-- down.sql --", "Atlas"),
        ("-- Revert app:a from sqlite", "Sqitch"),
        ("-- DOWN:", "another tool"),
        ("-- [down]", "another tool"),
        ("-- @undo", "MyBatis"),
        ("-- #down", "another tool"),
        ("-- Down Migration:", "another tool"),
        ("-- migration down", "another tool"),
        ("/* migrate:down */", "another tool"),
        ("-- Rollback\n", "another tool"),
    ],
)
def test_markers_of_other_tools_are_refused(sql: Path, marker: str, tool: str) -> None:
    write(sql, "migrations/0001_a.sql", f"CREATE TABLE a (x);\n{marker}\nDROP TABLE a;\n")
    refused(sql, "migrations/0001_a.sql:2: ", tool)


@pytest.mark.parametrize(
    "text",
    [
        "-- Rollback:\n-- DROP TABLE a;\n",
        "-- Rollback:\n\n/* DROP TABLE a; */\n",
        "-- undo\n",
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN\n  -- undo\n  SELECT 1;\nEND;\n",
        "-- roll back what the last release did\nDROP TABLE b;\n",
        "-- rollback segments are gone\nDROP TABLE b;\n",
    ],
)
def test_a_comment_about_the_rollback_is_no_marker(sql: Path, text: str) -> None:
    write(sql, "migrations/0001_a.sql", f"CREATE TABLE a (x);\n{text}")
    assert len(read_all(sql)) == 1


@pytest.mark.parametrize(
    "name",
    [
        *(
            "create.sql",
            "V1__create.sql",
            "0001.sql",
            "0001_.sql",
            "0001-create.sql",
            "0001_a b.sql",
            "Copy of 0001_a.sql",
        ),
        *(
            "0001_a.up.sql",
            "0007_x.sql.txt",
            "0007_x.txt",
            "V2__x.SQL",
            "U1__x.sql",
            "0001_a.SQL",
            "0001__a.sql",
            "-1_a.sql",
            "\u0661_a.sql",
            "0001_größe.sql",
            "1.5_a.sql",
            "+1_a.sql",
        ),
    ],
)
def test_a_script_with_a_wrong_name_is_refused(sql: Path, name: str) -> None:
    write(sql, f"migrations/{name}")
    refused(sql, f"`migrations/{name}`", "0007_add_phone.sql")


def test_numbers_have_limits(sql: Path) -> None:
    path = write(sql, f"migrations/{'9' * 18}_a.sql")
    assert discover(sql, "sqlite").versioned[0].version == 10**18 - 1
    with pytest.raises(MigrationError):
        next_number(sql)
    path.rename(path.with_name("1" + "0" * 18 + "_a.sql"))
    refused(sql, "18 digits")


def test_zero_is_refused(sql: Path) -> None:
    write(sql, "migrations/0000_a.sql")
    refused(sql, "`migrations/0000_a.sql`", "begin at 1")


def test_a_number_that_stands_twice_names_both(sql: Path) -> None:
    write(sql, "migrations/0001_a.sql")
    write(sql, "migrations/1_b.sql")
    error = refused(sql, "number 1 ", "`migrations/0001_a.sql`", "`migrations/1_b.sql`")
    assert error.details["version"] == 1


def test_symbolic_links_are_followed(sql: Path, tmp_path: Path) -> None:
    target = write(sql, "elsewhere.txt", "SELECT 2;")
    os.symlink(target, sql / "sqlite/migrations/0001_a.sql")
    assert discover(sql, "sqlite").versioned[0].text == "SELECT 2;"
    target.unlink()
    refused(sql, "is not a file")


@pytest.mark.parametrize("name", ["sqlite/migrations/0001_a.sql", "sqlite/repeatable/a.sql", "sqlite/seed/demo/a.sql"])
def test_a_symbolic_link_to_itself_is_not_a_file(sql: Path, name: str) -> None:
    os.symlink((sql / name).name, sql / name)
    refused(sql, "is not a file")


def test_a_symbolic_link_to_itself_beside_the_scripts_is_left_alone(sql: Path) -> None:
    for name in ("more", "sqlite/more", "sqlite/seed/more"):
        os.symlink("more", sql / name)
    read_all(sql)


def test_a_name_that_no_terminal_should_see_is_refused(sql: Path) -> None:
    write(sql, "repeatable/a\x1b[31m.sql")
    refused(sql, r"a\x1b[31m.sql")


# Decoding and checksums.


def test_the_checksum_is_stable(sql: Path) -> None:
    write(sql, "migrations/0001_a.sql", "SELECT 'é';\n")
    script = discover(sql, "sqlite").versioned[0]
    assert script.checksum == "v1:sha256:" + hashlib.sha256(b"SELECT '\xc3\xa9';\n").hexdigest()
    assert script.checksum == checksum(script.text)


SCRIPT = "-- note\nSELECT 'é',\n\n 1;\n"


@pytest.mark.parametrize(
    "data",
    [
        SCRIPT.replace("\n", "\r\n").encode(),
        SCRIPT.replace("\n", "\r").encode(),
        codecs.BOM_UTF8 + SCRIPT.encode(),
        codecs.BOM_UTF8 + SCRIPT.replace("\n", "\r\n").encode(),
        codecs.BOM_UTF16_LE + SCRIPT.replace("\n", "\r\n").encode("utf-16-le"),
        codecs.BOM_UTF16_BE + SCRIPT.encode("utf-16-be"),
    ],
    ids=["CRLF", "CR", "BOM", "BOM and CRLF", "UTF-16LE", "UTF-16BE"],
)
def test_bom_encoding_and_line_endings_do_not_count(sql: Path, data: bytes) -> None:
    write(sql, "migrations/0001_a.sql", data)
    script = discover(sql, "sqlite").versioned[0]
    assert script.text == SCRIPT
    assert script.checksum == checksum(SCRIPT)


@pytest.mark.parametrize(
    "other",
    [
        SCRIPT.replace("-- note\n", "-- note"),
        SCRIPT.replace("-- note\n", "-- note "),
        SCRIPT.replace("\n\n", "\n"),
        SCRIPT.rstrip("\n"),
        SCRIPT + "\n",
        SCRIPT.replace(" 1", "\t1"),
        SCRIPT.replace("é", "e\u0301"),
        SCRIPT.replace("\n", "\u2028"),
        "\ufeff\ufeff" + SCRIPT,
        SCRIPT.upper(),
    ],
)
def test_everything_else_counts(other: str) -> None:
    assert checksum(normalise(other)) != checksum(SCRIPT)


@given(
    st.lists(st.text(st.characters(exclude_characters="\r\n\ufeff", codec="utf-8"))), st.sampled_from(["\r\n", "\r"])
)
def test_the_kind_of_line_ending_alone_is_normalised(lines: list[str], newline: str) -> None:
    assert normalise(newline.join(lines)) == "\n".join(lines)
    assert normalise("\ufeff" + newline.join(lines)) == "\n".join(lines)


def test_bytes_that_are_no_utf8_are_named(sql: Path) -> None:
    write(sql, "migrations/0001_a.sql", "SELECT 1;\nSELECT 'é';".encode("latin-1"))
    refused(sql, "migrations/0001_a.sql:2: byte 18 (0xe9) is not UTF-8")


@pytest.mark.parametrize("data", ["SELECT 1;\n".encode("utf-16-le"), b"SELECT 1;\nSELECT '\0';"])
def test_a_nul_is_refused(sql: Path, data: bytes) -> None:
    write(sql, "repeatable/a.sql", data)
    refused(sql, "NUL", "repeatable/a.sql:")


def test_broken_utf16_is_refused(sql: Path) -> None:
    write(sql, "repeatable/a.sql", codecs.BOM_UTF16_LE + b"a\0b")
    refused(sql, "UTF-16")


# Directives.


def test_no_directives_are_the_defaults() -> None:
    assert parse_directives("SELECT 1; -- custom: x\n", "x.sql") == Directives(True, None, False, {}, frozenset())


def test_all_directives() -> None:
    text = """

/* Licence: none.
   Of nobody. */
-- A header.
--custctl:transaction = off
  -- CustCtl: environments=test, development

-- custctl: substitute
-- custctl: requires=fts5,json
-- custctl: personal
-- custctl: searchable
-- custctl: phase=contract
-- custctl: allow=drop-table\tnobody reads it
DROP TABLE a;
-- custctl: allow=drop-column = is fine too
  -- custctl: allow=drop-table the other neither
DROP TABLE b;"""
    assert parse_directives(text, "x.sql") == Directives(
        transaction=False,
        environments=frozenset({"development", "test"}),
        substitute=True,
        allow={"drop-table": "nobody reads it; the other neither", "drop-column": "= is fine too"},
        requires=frozenset({"fts5", "json"}),
        personal=True,
        searchable=True,
        phase="contract",
    )


@pytest.mark.parametrize("before", ["--\n", "--- a\n", "/**/", "/***/", "/** a * **/\n", "/* a /* b */ \n\n"])
def test_comments_may_come_before_a_directive(before: str) -> None:
    assert parse_directives(f"{before}\n-- custctl: substitute", "x.sql") == Directives(substitute=True)


@pytest.mark.parametrize(
    "directive",
    [
        *("transaction=off", "environments=test", "requires=a", "phase=expand", "allow=a b"),
        *("substitute", "personal", "searchable"),
    ],
)
def test_a_directive_without_its_colon_is_not_ignored(directive: str) -> None:
    assert parse_directives(f"-- custctl: {directive}", "x.sql") != Directives()
    with pytest.raises(MigrationError, match="is not a directive"):
        parse_directives(f"-- custctl {directive}", "x.sql")


def test_an_empty_script_gives_its_reason() -> None:
    assert parse_directives("-- custctl: none  reserved for 2.0 ", "x.sql") == Directives(none="reserved for 2.0")


def test_on_is_the_default_said_aloud() -> None:
    assert parse_directives("-- custctl: transaction=on", "x.sql") == Directives()


@pytest.mark.parametrize(
    "text",
    [
        "-- say -- custctl: transaction=off -- to do without\nSELECT 1;",
        "-- -- custctl: transaction=off\nSELECT 1;",
        "-- see custctl: the manual\nSELECT 1;",
        "-- in custctl, transaction=off is a directive\n-- custom environments=test\nSELECT 1;",
        "SELECT 'custctl: transaction=off';",
        # The marker of a column.
        "ALTER TABLE customer ADD COLUMN tier text; -- custctl: Personal ",
    ],
)
def test_what_only_speaks_of_directives_is_none(text: str) -> None:
    assert parse_directives(text, "x.sql") == Directives()


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("\n-- custctl: transactoin=off", 2, ["`transactoin=off`", "did you mean `transaction`"]),
        ("-- custctl:", 1, ["unknown directive"]),
        ("-- custctl transaction=off", 1, ["`-- custctl transaction=off` is not a directive"]),
        ("\n-- custctrl: environments=test\nSELECT 1;", 2, ["write it as `-- custctl: DIRECTIVE`"]),
        ("--\u00a0custctl: environments=test", 1, ["is not a directive"]),
        ("-- custctl\uff1a environments=test", 1, ["is not a directive"]),
        ("-- custctl = environments=test", 1, ["is not a directive"]),
        ("-- cusctl: substitute", 1, ["is not a directive"]),
        ("-- custctl: this creates the customer", 1, ["unknown directive", "known: transaction, environments"]),
        ("-- custctl: environment=test", 1, ["did you mean `environments`"]),
        ("-- custctl: Transaction=off", 1, ["did you mean `transaction`"]),
        ("-- custctl: transaction=no", 1, ["malformed", "transaction=off"]),
        ("-- custctl: transaction=Off", 1, ["malformed"]),
        ("-- custctl: transaction=off -- why", 1, ["malformed"]),
        ("-- custctl: transaction=off, environments=test", 1, ["malformed"]),
        ("-- custctl: transaction off", 1, ["malformed"]),
        ("-- custctl: transaction=", 1, ["malformed"]),
        ("-- custctl: substitute=on", 1, ["malformed"]),
        ("-- custctl: substitute please", 1, ["malformed"]),
        ("-- custctl: environments", 1, ["malformed"]),
        ("-- custctl: environments=,", 1, ["malformed"]),
        ("-- custctl: environments=!production", 1, ["malformed"]),
        ("-- custctl: environments=test production", 1, ["malformed"]),
        ("-- custctl: environments=test,prod", 1, ["unknown environment `prod`", "production"]),
        ("-- custctl: environments=Test", 1, ["unknown environment `Test`", "did you mean `test`"]),
        ("-- custctl: requires=a b", 1, ["malformed"]),
        ("-- custctl: allow=drop-table", 1, ["no reason", "allow=RULE reason"]),
        ("-- custctl: allow=drop-table ---", 1, ["no reason"]),
        ("-- custctl: allow drop-table why", 1, ["malformed"]),
        ("-- custctl: none", 1, ["`none` gives no reason", "none reason"]),
        ("-- custctl: none --", 1, ["`none` gives no reason"]),
        ("-- custctl: allow= drop-table", 1, ["no reason"]),
        ("SELECT 1;\n-- custctl: allow=drop-table", 2, ["no reason"]),
        ("-- custctl: substitute\n-- custctl: substitute", 2, ["twice"]),
        ("-- custctl: environments=test\n-- custctl: environments=production", 2, ["twice"]),
        ("SELECT 1;\n\n-- custctl: environments=test", 3, ["after the first statement"]),
        ("/* a */ SELECT 1; /* b */\n-- custctl: environments=test", 2, ["after the first statement"]),
        ("SELECT 1;\n-- custctl: tranaction=off", 2, ["unknown directive"]),
        ("SELECT 1; -- custctl: environments=test", 1, ["alone on its line"]),
        ("DROP TABLE a; -- custctl: allow=drop-table gone", 1, ["alone on its line"]),
        ("--- custctl: environments=test", 1, ["alone on its line"]),
        ("---- custctl: environments=test", 1, ["alone on its line"]),
        ("/* x\n * custctl: environments=test */", 2, ["block comment"]),
        ("/*\n-- custctl: environments=test\n*/ SELECT 1", 2, ["block comment"]),
        ("/*\ncustctl: environments=test\n*/ SELECT 1", 2, ["block comment"]),
    ],
)
def test_a_wrong_directive_is_refused(text: str, line: int, words: list[str]) -> None:
    with pytest.raises(MigrationError) as caught:
        parse_directives(text, "migrations/0001_a.sql")
    assert caught.value.message.startswith(f"migrations/0001_a.sql:{line}: ")
    assert caught.value.details == {"script": "migrations/0001_a.sql", "line": line}
    for word in words:
        assert word in f"{caught.value.message} {caught.value.hint}"


def test_discover_reads_directives_and_names_the_file(sql: Path) -> None:
    write(sql, "migrations/0001_a.sql", b"\xef\xbb\xbf\r\n-- custctl: substitut\r\n")
    refused(sql, "migrations/0001_a.sql:2:", "did you mean `substitute`")


# Substitution.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a ${NAME} b ${NAME}", "a value b value"),
        ("${UNSET:-some $default}", "some $default"),
        ("${EMPTY:-default}|${EMPTY}|${NAME:-default}|${UNSET:-}", "default||value|"),
        ("$${NAME} $${", "${NAME} ${"),
        ("$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA $BODY$ $$ $NAME $1 {NAME}", None),
        ("${INNER}", "${NAME} \\1 $${x}"),
    ],
)
def test_substitute(text: str, expected: str | None) -> None:
    environ = {"NAME": "value", "EMPTY": "", "INNER": "${NAME} \\1 $${x}"}
    assert substitute(text, environ, name="x.sql", line=1) == (text if expected is None else expected)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("SELECT\n\n${UNSET}", "the variable `UNSET` is not set"),
        *((f"SELECT\n\n{text}", "`${` does not start a reference") for text in ("${}", "${1a}", "${NAME", "${A-b}")),
    ],
)
def test_what_cannot_be_substituted_is_refused(text: str, reason: str) -> None:
    with pytest.raises(MigrationError) as caught:
        substitute(text, {"NAME": "a secret", "A": "a secret"}, name="x.sql", line=10)
    assert caught.value.message == f"x.sql:12: {reason}"
    assert caught.value.details == {"script": "x.sql", "line": 12}
    assert "secret" not in repr(caught.value.args) + str(caught.value.hint)


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        # The longer of two values first, though the shorter one is a part of it.
        ("failed on hunter's 2nd, hunter", "failed on ${LONG}, ${SHORT}"),
        ('near "2nd": syntax error', 'near "…": syntax error'),
        # A word that the script has itself may be shown.
        ('no column "t"', 'no column "t"'),
        ("kept, usual", "kept, usual"),
    ],
)
def test_a_message_quotes_no_substituted_value(message: str, shown: str) -> None:
    script = "SELECT t, '${SHORT}', '${LONG}', '$${KEPT}', '${UNSET:-usual}', '${EMPTY}'"
    assert mask(message, script, {"SHORT": "hunter", "LONG": "hunter's 2nd", "KEPT": "kept", "EMPTY": ""}) == shown


# New scripts.


def test_next_number(sql: Path) -> None:
    assert next_number(sql / "nowhere") == (1000, 4)
    write(sql, "migrations/0009_a.sql")
    assert str(next_number(sql)) == "1000"
    write(sql, "migrations/01012_a.sql", engine="mssql")
    assert next_number(sql) == (1013, 5)
    assert str(next_number(sql)) == "01013"
    write(sql, "migrations/rubbish.sql", engine="mssql")
    with pytest.raises(MigrationError):
        next_number(sql)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Add phone number!", "add_phone_number"),
        ("add_phone.sql", "add_phone"),
        ("../../etc/passwd", "etc_passwd"),
        ("  Größe   Straße ", "grosse_strasse"),
        ("2fa", "2fa"),
        ("a" * 100, "a" * 100),
    ],
)
def test_slug(sql: Path, name: str, expected: str) -> None:
    assert slug(name) == expected
    write(sql, f"migrations/0001_{expected}.sql")
    assert discover(sql, "sqlite").versioned


@pytest.mark.parametrize("name", ["", "!!!", "клиент", "a" * 101, "add \udcff", "add\nphone", "add\tphone", "add\0"])
def test_slug_refuses(name: str) -> None:
    with pytest.raises(UsageError):
        slug(name)


@pytest.mark.parametrize(
    "name", ["custctl: transaction=off", "custctl: nonsense", "migrate:up", "+goose down", "add \udcff"]
)
def test_a_name_of_which_no_script_can_be_made_leaves_no_file(sql: Path, name: str) -> None:
    write(sql, "migrations/0001_a.sql")
    (sql / "mssql").mkdir()
    before = sorted(sql.rglob("*"))
    with pytest.raises(UsageError):
        new_scripts(sql, name, bundled=False)
    assert sorted(sql.rglob("*")) == before


def test_new_makes_all_files_or_none(sql: Path) -> None:
    (sql / "zzz").mkdir()
    (sql / "zzz/migrations").write_text("a file in the place of the folder")
    with pytest.raises((CredentialError, UsageError, MigrationError)):
        new_scripts(sql, "add phone", bundled=False)
    assert list(sql.rglob("*phone*")) == []
    (sql / "zzz/migrations").unlink()
    assert len(new_scripts(sql, "add phone", bundled=False)) == 2


# Diffs.


def test_diff() -> None:
    assert diff("a\r\nb\n", "\ufeffa\nb\n", "x.sql") == ""
    assert diff("a\nb\n", "a\nc\n", "x.sql") == (
        "--- x.sql (applied)\n+++ x.sql (on disk)\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
    )


def test_diff_shows_a_last_line_feed_and_keeps_odd_separators_inside_their_line() -> None:
    assert diff("a", "a\n", "x").endswith("-a\n\\ No newline at end of file\n+a\n")
    assert diff("", "a\u2028b\n", "x").endswith("@@ -0,0 +1 @@\n+a\u2028b\n")
