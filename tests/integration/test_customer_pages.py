"""Lists and searches: every row once, in order, against a reference in plain Python."""

from __future__ import annotations

import random
import string
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from custctl.customers.model import FIELDS, STATUSES
from custctl.customers.pages import read_all, read_page
from custctl.customers.queries import (
    SEARCHED,
    Mode,
    Query,
    decode_cursor,
    list_query,
    search_query,
)
from custctl.engines.base import EngineSettings
from custctl.engines.sqlite.database import SqliteDatabase
from custctl.engines.sqlite.secondary import FULL_TEXT
from tests import searches
from tests.conftest import PROFILE, REPOSITORY, Project, clean_environment
from tests.inside import Inside, inside

ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
NULLABLE = ("phone", "company", "address_line", "city", "region", "postal_code", "country")
WORDS = [
    "gonç", "GONÇ", "Gonc", "Çgonç", "Łódź", "łÓDŹ", "Ковалевская", "КОВАЛЕВСКАЯ", "Ёлка", "елка", "Ὀδυσσεύς", "Straße",
    "STRASSE", "straße", "Ærø", "ærø", "100%", "100 %", "a_b", "aXb", "a*b", "*", "%", "_", '"', "'", "O'Brien", '"Q"',
    "a\\b", "[x]", "(x)", "a-b", "-", "AND", "OR", "NOT", "NEAR", "漢字", "漢", "字漢字", "🦄", "🦄🦄", "ａ", "ﬁ", "x y",
    "  double  space", "A", "a", "B", "z", "Z", "é", "É", "e", "+44 20", "+1", "Zz", "zZ", "ǆ", "ǅ", "Ǆ", "ñ", "Ñ",
]  # fmt: skip


class Rows(list[dict[str, Any]]):
    """Rows that no failing test prints."""

    def __repr__(self) -> str:
        return f"<{len(self)} rows>"


def word(rng: random.Random) -> str:
    made = " ".join(rng.choice(WORDS) for _ in range(rng.randint(1, 2)))
    return unicodedata.normalize("NFC", made).strip()[:40]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with 320 customers, many alike; shared, and only read."""
    root: Path = tmp_path_factory.mktemp("pages")
    (root / "profiles").mkdir()
    text = PROFILE.format(environment="development", path="dev.db", seed="")
    (root / "profiles" / "dev.yaml").write_text(text)
    made = inside(Inside(root, clean_environment(root, {"CUSTCTL_SQL_DIR": str(REPOSITORY / "sql")})))
    rng = random.Random(20261123)
    connection = made.database()
    connection.execute("BEGIN")
    for number in range(320):
        values: dict[str, Any] = {
            "email": f"{rng.choice(['ada', 'bob', 'zoë', 'жук', 'a_b', '100%', 'li'])}{number}@example.com",
            "first_name": word(rng),
            "last_name": word(rng),
            "status": rng.choice(STATUSES),
            "created_at": f"2026-01-0{rng.randint(1, 3)}T00:00:00.000Z",
            "updated_at": f"2026-02-0{rng.randint(1, 3)}T00:00:00.000Z",
        }
        for name in NULLABLE:
            values[name] = word(rng)[:20].strip() if rng.random() < 0.5 else None
        values["country"] = rng.choice([None, "Österreich", "Austria", "austria"])
        places = ", ".join("?" for _ in values)
        connection.execute(f"INSERT INTO customer ({', '.join(values)}) VALUES ({places})", list(values.values()))
    connection.execute("COMMIT")
    # Versions that differ, and ids with gaps.
    connection.execute("UPDATE customer SET version = 0 WHERE id % 3 = 0")
    connection.execute("UPDATE customer SET version = 0 WHERE id % 6 = 0")
    connection.execute("DELETE FROM customer WHERE id % 16 = 0")
    connection.close()
    return made


@pytest.fixture(scope="module")
def database(project: Project) -> Iterator[SqliteDatabase]:
    made = SqliteDatabase(EngineSettings(location="here", path=project.path / "dev.db"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def everyone(project: Project) -> list[dict[str, Any]]:
    connection = project.database()
    rows = connection.execute(f"SELECT {', '.join(FIELDS)} FROM customer ORDER BY id").fetchall()
    connection.close()
    return Rows(dict(zip(FIELDS, row, strict=True)) for row in rows)


def walk(database: SqliteDatabase, query: Query, limit: int) -> list[int]:
    """Return the ids of all pages, one after the other."""
    ids: list[int] = []
    position = None
    while True:
        page = read_page(database, query, limit, position)
        assert len(page.items) <= limit
        ids += [found.id for found in page.items]
        if page.next is None:
            return ids
        assert len(page.items) == limit
        carried, position = decode_cursor(page.next)
        assert carried == query


def ordered(rows: list[dict[str, Any]], field: str, *, descending: bool) -> list[int]:
    """Return ids in binary order of a field, rows without a value last, ties by ascending id."""
    held = sorted((row for row in rows if row[field] is not None), key=lambda row: row["id"])
    held.sort(key=lambda row: row[field], reverse=descending)
    return [row["id"] for row in held] + [row["id"] for row in rows if row[field] is None]


# -- lists -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("field", FIELDS)
def test_pages_are_the_sorted_whole(
    database: SqliteDatabase, everyone: list[dict[str, Any]], field: str, *, descending: bool
) -> None:
    query = list_query(("-" if descending else "") + field, None, None)
    expected = ordered(everyone, field, descending=descending)
    assert walk(database, query, 3) == expected
    assert walk(database, query, 100) == expected
    assert [found.id for found in read_all(database, query)] == expected


@pytest.mark.parametrize("field", ["id", "company", "last_name", "updated_at", "country"])
@pytest.mark.parametrize("status", [None, "closed"])
@pytest.mark.parametrize("country", [None, "austria", "O\u0308sterreich", "%", ""])
def test_filters_hold_on_every_page(
    database: SqliteDatabase, everyone: list[dict[str, Any]], field: str, status: str | None, country: str | None
) -> None:
    wanted = unicodedata.normalize("NFC", country) if country is not None else None
    rows = [
        row
        for row in everyone
        if (status is None or row["status"] == status) and (country is None or row["country"] == wanted)
    ]
    for descending in (False, True):
        query = list_query(("-" if descending else "") + field, status, country)
        assert walk(database, query, 7) == ordered(rows, field, descending=descending)


def test_a_last_page_that_is_full_has_no_next(database: SqliteDatabase, everyone: list[dict[str, Any]]) -> None:
    for sort in (None, "company", "-phone"):
        query = list_query(sort, None, None)
        page = read_page(database, query, len(everyone))
        assert (len(page.items), page.next) == (len(everyone), None)
        assert read_page(database, query, len(everyone) - 1).next is not None


def test_pages_do_not_shift_when_rows_come_and_go(
    tmp_path: Path, project: Project, everyone: list[dict[str, Any]]
) -> None:
    source, copy = project.database(), tmp_path / "copy.db"
    source.execute("VACUUM INTO ?", (str(copy),))
    source.close()
    database = SqliteDatabase(EngineSettings(location="copy", path=copy))
    query = list_query("last_name", None, None)
    seen: list[int] = []
    position, doomed = None, set()
    while True:
        page = read_page(database, query, 10, position)
        seen += [found.id for found in page.items]
        if page.next is None:
            break
        _, position = decode_cursor(page.next)
        with database.writing() as connection:
            # What was seen goes, the very last row among it; what is new sorts before all that is still to come.
            doomed |= {found.id for found in page.items}
            connection.send(f"DELETE FROM customer WHERE id = {page.items[-1].id}")
            connection.send(
                f"INSERT INTO customer (email, first_name, last_name) VALUES ('{len(seen)}@new.com', 'N', ' ')"
            )
    database.close()
    assert seen == ordered(everyone, "last_name", descending=False)


def test_the_command_walks_by_its_own_cursor(project: Project, everyone: list[dict[str, Any]]) -> None:
    arguments = ("customer", "list", "--sort", "-company", "--status", "active", "--country", "Austria")
    rows = [row for row in everyone if (row["status"], row["country"]) == ("active", "Austria")]
    ids: list[int] = []
    page = project.ok(*arguments, "--limit", "3", "-o", "json")
    while True:
        assert set(page.json) == {"items", "next"}
        assert all(tuple(item) == FIELDS for item in page.json["items"])
        ids += [item["id"] for item in page.json["items"]]
        cursor = page.json["next"]
        if cursor is None:
            assert page.err == ""
            break
        assert f"--after {cursor}" in page.err
        # Alone, or with what it carries.
        again = arguments if len(ids) % 2 else ("customer", "list")
        page = project.ok(*again, "--limit", "3", "--after", cursor, "-o", "json")
    assert ids == ordered(rows, "company", descending=True)


def test_limits_and_formats(project: Project, everyone: list[dict[str, Any]]) -> None:
    assert len(project.ok("customer", "list", "-o", "json").json["items"]) == 50
    result = project.ok("customer", "list", "--limit", "0", "-o", "json")
    assert (len(result.json["items"]), result.json["next"], result.err) == (len(everyone), None, "")
    assert len(project.ok("customer", "list", "--limit", "9" * 25, "-o", "jsonl").out.splitlines()) == len(everyone)
    assert project.ok("customer", "list", "--limit", "1").out.splitlines()[0].split("\t") == list(FIELDS)
    assert project.ok("customer", "list", "--limit", "1", "--fields", "id", "-q").err == ""
    assert project.ok("customer", "list", "--country", "Nowhere", "-o", "json").json == {"items": [], "next": None}


@pytest.mark.parametrize(
    "arguments",
    [
        ("list", "--sort", "nonsense"),
        ("list", "--sort", ""),
        ("list", "--status", "gone"),
        ("list", "--limit", "-1"),
        ("list", "--limit", "x"),
        ("list", "--after", "x"),
        ("list", "--after", ""),
        ("list", "--fields", "nonsense"),
        ("list", "--fields", ""),
        ("list", "--country", "\udcff"),
        ("search",),
        ("search", ""),
        ("search", "  "),
        ("search", "\udcff"),
        ("search", "a " * 5000),
        ("search", "--contains", "a-" * 5000),
        ("search", "a", "--after", "x"),
    ],
)
def test_what_cannot_be_asked_is_a_usage_error(project: Project, arguments: tuple[str, ...]) -> None:
    result = project.run("customer", *arguments, "-o", "json")
    assert (result.code, result.error["code"], result.out) == (2, "usage", "")


def test_a_cursor_of_another_query_is_a_usage_error(project: Project) -> None:
    listed = project.ok("customer", "list", "--sort", "city", "--limit", "3", "-o", "json").json["next"]
    found = project.ok("customer", "search", "a", "--limit", "1", "-o", "json").json["next"]
    for arguments in (
        ("list", "--sort", "-city", "--after", listed),
        ("list", "--sort", "city", "--status", "active", "--after", listed),
        ("list", "--after", found),
        ("search", "--after", listed),
        ("search", "b", "--after", found),
        ("search", "a", "--contains", "--after", found),
    ):
        result = project.run("customer", *arguments)
        assert (result.code, "belongs to a different query" in result.err) == (2, True), arguments
    project.ok("customer", "search", "a", "--after", found)
    project.ok("customer", "search", "--after", found)


# -- searches --------------------------------------------------------------------------------------


def begun(everyone: list[dict[str, Any]], needle: str) -> set[int]:
    """Search for the beginning of a field by brute force."""

    def fold(text: str) -> str:
        # Which of its two small letters a Σ is depends on what stands behind it: they are one.
        return text.lower().replace("ς", "σ")

    folded = fold(unicodedata.normalize("NFC", needle).strip())
    return {row["id"] for row in everyone if any(fold(row[name] or "").startswith(folded) for name in SEARCHED)}


def check(database: SqliteDatabase, everyone: list[dict[str, Any]], needle: str) -> None:
    for mode in ("words", "contains"):
        assert walk(database, search_query(needle, mode), 16) == searches.found(everyone, needle, mode), (needle, mode)
    exact = walk(database, search_query(needle, "exact"), 16)
    assert len(exact) == len(set(exact)), needle
    assert set(exact) == begun(everyone, needle), needle


@pytest.mark.parametrize(
    "needle", [*WORDS, "gon", "go", "g", "Ç", "ç", "КОВ", "ко", "@example.com", "ada1", "ADA1", "ZOË"]
)
def test_a_search_finds_each_hit_once(database: SqliteDatabase, everyone: list[dict[str, Any]], needle: str) -> None:
    check(database, everyone, needle)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_part_of_any_value_is_found(
    database: SqliteDatabase, everyone: list[dict[str, Any]], data: st.DataObject
) -> None:
    row = data.draw(st.sampled_from(everyone))
    value = data.draw(st.sampled_from([row[name] for name in SEARCHED if row[name] is not None]))
    start = data.draw(st.integers(0, len(value) - 1))
    needle = value[start : start + data.draw(st.integers(1, 6))]
    needle = data.draw(st.sampled_from([needle, needle.upper(), needle.lower()]))
    if needle.strip():
        check(database, everyone, needle)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(needle=st.text("%_*\"'\\()[]{}^$.-+: aAçÇñжЖ漢🦄\x1b", min_size=1, max_size=8).filter(str.strip))
def test_no_needle_is_a_pattern_or_a_query_language(
    database: SqliteDatabase, everyone: list[dict[str, Any]], needle: str
) -> None:
    check(database, everyone, needle)


def test_neither_case_nor_accents_matter_but_to_an_exact_search(database: SqliteDatabase) -> None:
    def found(needle: str, mode: Mode) -> list[int]:
        return walk(database, search_query(needle, mode), 9)

    for mode in get_args(Mode):
        assert found("GONÇ", mode) == found("gonc\u0327", mode)
        assert found("КОВАЛЕВ", mode) == found("ковалев", mode)
        assert found("gonc", mode)
        assert (found("gonc", mode) == found("gonç", mode)) is (mode != "exact")


def test_an_exact_search_is_in_the_order_of_its_fields(
    database: SqliteDatabase, everyone: list[dict[str, Any]]
) -> None:
    by_id = {row["id"]: row for row in everyone}
    found = walk(database, search_query("a", "exact"), 4)
    lanes = [
        next(n for n, name in enumerate(SEARCHED) if (by_id[number][name] or "").lower().startswith("a"))
        for number in found
    ]
    assert lanes == sorted(lanes)
    assert len(set(lanes)) > 2
    for lane, name in enumerate(SEARCHED):
        # The index folds ASCII alone.
        keys = [
            (by_id[number][name].translate(ASCII_LOWER), number)
            for number, of in zip(found, lanes, strict=True)
            if of == lane
        ]
        assert keys == sorted(keys)


def test_without_the_full_text_indexes_a_search_finds_the_same(
    tmp_path: Path, project: Project, everyone: list[dict[str, Any]]
) -> None:
    source, copy = project.database(), tmp_path / "copy.db"
    source.execute("VACUUM INTO ?", (str(copy),))
    source.close()
    database = SqliteDatabase(EngineSettings(location="copy", path=copy))
    with database.writing() as connection:
        for name in ("insert", "update", "delete"):
            connection.send(f"DROP TRIGGER customer_search_{name}")
        connection.send("DROP TABLE customer_search")
        connection.send("DROP TABLE customer_words")
    for needle in ("gonç", "100%", "a*b", "漢字", "ковал"):
        check(database, everyone, needle)
    database.close()


def test_the_index_follows_every_write(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    (folder / "profiles").mkdir(parents=True)
    (folder / "profiles" / "dev.yaml").write_text((project.path / "profiles" / "dev.yaml").read_text())
    own = inside(Inside(folder, project.environ))

    def found(text: str) -> list[int]:
        return [item["id"] for item in own.ok("customer", "search", "--contains", text, "-o", "json").json["items"]]

    own.ok("customer", "add", "--email", "x@example.com", "--first-name", "Zebulon", "--last-name", "Pike")
    assert found("bulo") == [1]
    own.ok("customer", "update", "1", "--first-name", "Thaddeus", "--company", "Plough")
    assert (found("bulo"), found("hadde"), found("ploug")) == ([], [1], [1])
    own.ok("customer", "update", "1", "--company", "")
    assert found("ploug") == []
    own.ok("customer", "delete", "1", "--yes")
    assert found("hadde") == []
    check = own.database()
    for index in FULL_TEXT:
        check.execute(f"INSERT INTO {index} ({index}, rank) VALUES ('integrity-check', 1)")
    check.close()
