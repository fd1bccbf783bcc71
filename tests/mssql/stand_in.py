"""A stand-in for Microsoft's driver and a server behind it: it notes what it is asked, and answers what is plausible.

It knows no SQL. A statement's columns are taken from its text, and each is answered by its name; what a server would
remember (tables, the rows of the journal and of the metadata) is remembered. So the program's own statements can be
collected and looked at where there is no server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import pyodbc

from custctl.migrations.spaces import number_of

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678000)  # noqa: DTZ001 - as the driver returns it, without a zone
VERSION = bytes.fromhex("00000000000007d1")
NEXT_VERSION = (int.from_bytes(VERSION, "big") + 1).to_bytes(8, "big")
NAMED: dict[str, Any] = {
    "id": 7,
    "email": "ada@example.com",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "phone": None,
    "company": None,
    "address_line": None,
    "city": None,
    "region": None,
    "postal_code": None,
    "country": None,
    "status": "active",
    "version": VERSION,
    "created_at": MOMENT,
    "updated_at": MOMENT,
    "epoch": "1",
    "lane": 0,
    "lane_key": None,
    "hash": "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ",
}
"""The one customer that there is, and what else a column of the name holds."""

REMEMBERED = ("schema_migration", "custctl_metadata", "customer_audit", "customer_import")

ASKED: dict[str, Any] = {
    "sp_getapplock": 0,
    "@@TRANCOUNT": 1,
    "APPLOCK_MODE": "Exclusive",
    "SCHEMA_NAME()": "dbo",
    "'Updateability'": "READ_WRITE",
    "snapshot_isolation_state": 1,
    "@@LANGUAGE": "us_english",
    "count(": 1,
    "SYSUTCDATETIME()": MOMENT,
}
"""What is answered first to a SELECT or EXEC in which one of these stands."""

FURTHER: dict[str, Any] = {"@@DATEFIRST": 7, "APPLOCK_MODE": "Exclusive"}
"""What is answered in its further columns."""

_SETTINGS = re.compile(r"(SET [^;]+(?:; SET [^;]+)*); (?=SELECT|WITH|BEGIN)")
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_TOGETHER = re.compile(r";\n(?=\s*SELECT\b)")
_NAME = re.compile(r"\[?(\w+)\]?$")
_OUTPUT = re.compile(r"\bOUTPUT (.*?) (?:VALUES|WHERE|SELECT|FROM)\b|\bOUTPUT (.*)$", re.DOTALL)
_TABLE = re.compile(r"^(?:INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE) (?:\[?dbo\]?\.)?\[?(\w+)")
_FROM = re.compile(r"FROM \[?dbo\]?\.\[?(\w+)")
_INSERTED = re.compile(r"^INSERT INTO \S+ \((.*?)\)")


class Server:
    """What is remembered between the connections of a test.

    Attributes:
        asked: every statement, in the order in which they came, with the number of its parameters.
        answers: rows for statements in which a text stands, before all else; the first that fits.
        affected: how many rows a write without OUTPUT says it touched, by table; 1 where nothing is said.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.tables: set[str] = set()
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in REMEMBERED}
        self.answers: dict[str, list[tuple[Any, ...]]] = {}
        self.affected: dict[str, int] = {}

    def connect(self) -> Any:
        """Return a connection, as `pyodbc.connect` does."""
        return _Connection(self)

    def answer(self, statement: str, parameters: Sequence[Any]) -> tuple[list[str], list[tuple[Any, ...]], int]:
        """Return columns, rows and the count of rows for a statement."""
        written, statement = statement, _COMMENT.sub("", statement).strip()
        self.asked.append((written, len(parameters)))
        for text, rows in self.answers.items():
            if text in statement:
                return [str(at) for at in range(len(rows[0]))] if rows else ["0"], rows, len(rows)
        found = _TABLE.match(statement)
        table = found[1] if found else ""
        self._remember(statement, table, parameters)
        columns = _columns(statement)
        rows = self._rows(statement, columns) if columns else []
        return columns, rows, self.affected.get(table, 1)

    def _remember(self, statement: str, table: str, parameters: Sequence[Any]) -> None:
        if statement.startswith("CREATE TABLE"):
            self.tables.add(table)
        elif statement.startswith("INSERT") and table in self.rows:
            named = _INSERTED.match(statement)
            values = re.search(r"VALUES (.*)$", statement, re.DOTALL)
            assert named and values
            given = iter(parameters)
            for group in _split(values[1]):
                row = {
                    column.strip("[]"): _value(value, given)
                    for column, value in zip(named[1].split(", "), _split(group[1:-1]), strict=True)
                }
                self.rows[table].append({"id": len(self.rows[table]) + 1, **row})

    def _rows(self, statement: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
        if "sys.tables" in statement:
            # What a table is made of is asked for with the names of the tables, and is of none here.
            return [(name,) for name in sorted(self.tables)] if len(columns) == 1 else []
        if "c.is_computed" in statement or "o.type_desc" in statement:
            return []  # the table has no columns but the product's, and nothing but a table has the name of one
        source = statement[len(_until_from(statement)) :] if statement.startswith("SELECT") else statement
        table = _FROM.match(source.strip())
        if "OUTPUT" in statement or "lane" in columns:
            # An update gives the row a new version.
            row = {**NAMED, "version": NEXT_VERSION} if statement.startswith("UPDATE") else NAMED
            return [tuple(row.get(column) for column in columns)]
        if table is None:
            first = next((value for text, value in ASKED.items() if text in statement), None)
            further = next((value for text, value in FURTHER.items() if text in statement), None)
            return [(first, *(further for _ in columns[1:]))]
        if "count(" in statement:
            return [(1,)]
        if table[1] == "customer_import_row":
            # One row of the batch is there already, and differs; the other one is, once it is inserted.
            return [(0, 7, 1)] if "position" in columns else [(7,), (8,)]
        if table[1] not in self.rows:
            return [tuple(NAMED.get(column) for column in columns)]
        wanted = re.findall(r"(\w+) IS NOT NULL", statement)
        held = [row for row in self.rows[table[1]] if all(row.get(column) is not None for column in wanted)]
        kept = [tuple(row.get(column) for column in columns) for row in held]
        if "operation_id = ?" in statement or "[key] = ?" in statement:
            return []  # nothing is ever done again
        if "UNION ALL" in statement:  # the schema's version is asked for with the metadata
            # That of a script whose number somebody else may have taken is told by its name.
            newest = max(
                (number_of(row.get("name", "")) or row.get("version") or 0 for row in self.rows["schema_migration"]),
                default=0,
            )
            kept.append(("schema_version", str(newest) if newest else None))
        return kept


def _value(written: str, given: Iterator[Any]) -> Any:
    """Return what a value of an INSERT stands for."""
    if written == "?":
        return next(given)
    if written.startswith("CAST(? AS DATETIME2"):
        return datetime.fromisoformat(next(given))
    return {"NULL": None, "ORIGINAL_LOGIN()": "custctl"}.get(written, MOMENT)


def _columns(statement: str) -> list[str]:
    """Return the names of what a statement gives back."""
    if statement.startswith("SELECT"):
        body = re.sub(r"^SELECT (?:DISTINCT )?(?:TOP \S+ )?", "", statement)
        return [_named(part) for part in _split(_until_from(body))]
    if "sp_getapplock" in statement:
        return ["result"]
    found = _OUTPUT.search(statement)
    return [_named(part) for part in _split(found[1] or found[2])] if found else []


def _named(part: str) -> str:
    found = _NAME.search(part.strip())
    return found[1] if found else ""


def _until_from(text: str) -> str:
    depth = 0
    for at, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth == 0 and re.match(r"\s(?:FROM|WHERE)\b", text[at:]):
            return text[:at]
    return text


def _split(text: str) -> list[str]:
    """Return what stands between the commas that are in no parentheses."""
    parts, depth = [""], 0
    for char in text:
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return [part.strip() for part in parts]


class _Connection:
    """As pyodbc has it, as far as the program uses it."""

    timeout = 0

    def __init__(self, server: Server) -> None:
        self._server = server

    def cursor(self) -> _Cursor:
        return _Cursor(self._server)

    def close(self) -> None:
        pass

    def getinfo(self, what: int) -> str:
        return ""


class _Cursor:
    fast_executemany = False
    messages: Sequence[tuple[str, str]] = ()

    def __init__(self, server: Server) -> None:
        self._server = server
        self._queries: list[tuple[str, list[Any]]] = []
        self._left: list[tuple[Any, ...]] = []
        self.description: Any = None
        self.rowcount = -1

    def setinputsizes(self, sizes: Sequence[Any]) -> None:
        assert isinstance(sizes, list | tuple)

    def execute(self, statement: str, *parameters: Any) -> _Cursor:
        if _COMMENT.sub("", statement).count("?") != len(parameters):
            raise pyodbc.ProgrammingError("HY000", "the statement has another number of parameters")
        assert None not in parameters, "a NULL is written out"
        if settings := _SETTINGS.match(statement):
            self._server.asked.append((settings[1], 0))
            statement = statement[settings.end() :]
        given = iter(parameters)
        self._queries = [
            (query, list(islice(given, _COMMENT.sub("", query).count("?")))) for query in _TOGETHER.split(statement)
        ]
        self.nextset()
        return self

    def nextset(self) -> bool:
        if not self._queries:
            return False
        columns, self._left, self.rowcount = self._server.answer(*self._queries.pop(0))
        first = self._left[0] if self._left else [None] * len(columns)
        kinds = (type(value) for value in first)
        self.description = [(name, kind) for name, kind in zip(columns, kinds, strict=False)] or None
        return True

    def executemany(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        assert self.fast_executemany
        self._server.asked.append((statement, statement.count("?")))
        self.description = None

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._left.pop(0) if self._left else None

    def fetchmany(self, size: int) -> list[tuple[Any, ...]]:
        rows, self._left = self._left[:size], self._left[size:]
        return rows

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self.fetchmany(len(self._left))

    def cancel(self) -> None:
        pass

    def close(self) -> None:
        pass

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        while (row := self.fetchone()) is not None:
            yield row
