"""Finds statements in a script for SQL Server that destroy data, block others, or cannot run.

The rules read tokens, so a string, a comment or a quoted name never looks like a keyword. They do not read the bodies
of procedures, functions, triggers and views, which run later, or dynamic SQL (`EXEC ('…')`, `sp_executesql`). Changes
to tables that the script created, temporary tables and table variables are harmless and not reported; a table created
under a condition may have existed before. Unqualified names are taken to be in `dbo`.

A WHERE or an inner join narrows an UPDATE or DELETE. TOP alone does not: it takes any rows, and in a loop takes them
all. If the statement writes through a derived table or a common table expression, a WHERE, an inner join, or TOP with
ORDER BY in it narrows the statement.

Source of SQL Server's behaviour: the pages ALTER TABLE, CREATE INDEX, "Guidelines for online index operations" and
sp_rename of its documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from custctl.engines.linting import Linter
from custctl.engines.mssql.reader import (
    Code,
    ColumnDefinition,
    Name,
    Reader,
    Scope,
    by_comma,
    is_on,
    statements,
)
from custctl.engines.mssql.rules import HINTS
from custctl.engines.mssql.script import control, outside_only
from custctl.engines.mssql.tokens import Token, tokenise
from custctl.engines.scripts import Finding, Statement

# A batch without any of these needs no check: most of a large script is rows.
_WORDS = (
    *("CREATE", "ALTER", "DROP", "UPDATE", "DELETE", "TRUNCATE", "SP_", "NOLOCK", "UNCOMMITTED", "SELECT"),
    *("BACKUP", "RESTORE", "RECONFIGURE", "KILL", "DBCC", "TRAN", "COMMIT", "ROLLBACK"),
)
_DIRTY = frozenset({"NOLOCK", "READUNCOMMITTED"})
_TableKey = tuple[str, str, str]


class _Linter(Linter):
    """The state of one script: what it has created so far, and what it dropped without creating it again."""

    hints = HINTS

    def __init__(self, *, transaction: bool) -> None:
        super().__init__(transaction=transaction)
        self._saved: set[str] = set()
        self._conditional = False
        # The common table expressions of the next statement: their queries by name.
        self._queries: dict[str, str] = {}

    def _read(self, statement: Statement) -> None:
        text = statement.text
        upper = text.upper()
        if not any(word in upper for word in _WORDS):
            return
        dirty = any(word in upper for word in ("NOLOCK", "UNCOMMITTED"))
        self._line, counted = statement.line, 0
        for code in statements(text):
            self._line += text.count("\n", counted, code.start)
            counted = code.start
            self._conditional = code.conditional
            outside = outside_only(code) if self._in_transaction else ""
            if outside:
                self._report("autocommit-in-transaction", f"`{outside}` is refused inside a transaction")
            if dirty:
                self._look_for_dirty_reads(code, text)
            self._transaction(code)
            reader = Reader(code.tokens)
            if code.keyword in _CHECKS:
                reader.take()
                _CHECKS[code.keyword](self, reader)
            elif code.start == 0:
                self.execute(reader)  # a batch may begin with a procedure's bare name
            if code.keyword != "WITH":
                self._queries = {}

    def _transaction(self, code: Code) -> None:
        word = control(code, self._saved)
        if word == "BEGIN TRANSACTION":
            self._in_transaction = True
        elif word in ("COMMIT", "ROLLBACK"):
            self._in_transaction = False

    def _look_for_dirty_reads(self, code: Code, text: str) -> None:
        words = [part.keyword or part.text for part in tokenise(text, code.start, code.tokens[-1].end, flat=True)]
        found = code.keyword == "SET" and words[-2:] == ["READ", "UNCOMMITTED"]
        groups: list[str] = []  # the word before each open parenthesis
        for at, word in enumerate(words):
            if word == "(":
                groups.append(words[at - 1])
            elif word == ")" and groups:
                groups.pop()
            elif word in _DIRTY and groups:
                alone = words[at - 1] == "(" and words[at + 1 : at + 2] == [")"]
                found |= groups[-1] == "WITH" or (alone and code.keyword not in ("INSERT", "CREATE"))
        if found:
            self._report("nolock", "reads uncommitted rows, and may miss rows or read them twice")

    # What the script created itself.

    def _key(self, name: Name) -> _TableKey:
        database, schema, table = name.key
        return database, schema or "dbo", table

    def _is_own(self, name: Name) -> bool:
        return name.is_temporary or self._key(name) in self._own

    def _is_perhaps_own(self, name: Name) -> bool:
        return self._is_own(name) or self._key(name) in self._perhaps_own

    def _create(self, name: Name) -> None:
        (self._perhaps_own if self._conditional else self._own).add(self._key(name))

    # One method per first keyword.

    def create(self, reader: Reader) -> None:
        if reader.accept("OR"):
            reader.accept("ALTER")
        while reader.accept("UNIQUE", "CLUSTERED", "NONCLUSTERED", "COLUMNSTORE", "PRIMARY", "XML", "SPATIAL"):
            pass
        what = reader.accept("TABLE", "INDEX", "TRIGGER")
        name = reader.name() if what else None
        if name is None:
            return
        if what == "TABLE":
            self._create(name)
        elif what == "TRIGGER":
            self._make_part("trigger", name.key[2])
        elif reader.accept("ON") and (table := reader.name()) is not None:
            self._make_part("index", *self._key(table), name.key[2])
            if not self._is_perhaps_own(table) and not is_on(reader.rest(), "ONLINE"):
                message = f"all writers wait while the index `{name.shown}` is built on `{table.shown}`"
                self._report("create-index-locks", message)

    def drop(self, reader: Reader) -> None:
        what = reader.accept("TABLE", "INDEX", "TRIGGER").lower()
        if not what:
            return
        if reader.accept("IF"):
            reader.accept("EXISTS")
        for item in by_comma(reader.rest()):
            self._drop_one(what, Reader(item))

    def _drop_one(self, what: str, reader: Reader) -> None:
        name = reader.name()
        if name is None:
            return
        if what == "table":
            if not self._is_own(name):
                message = f"drops the table `{name.shown}` with all its rows, indexes, triggers and permissions"
                self._report("drop-table", message)
            self._remove(self._key(name))
        elif what == "trigger":
            message = f"drops the trigger `{name.shown}` and does not create it again"
            self._drop_part(message, "trigger", name.key[2])
        else:
            table = reader.name() if reader.accept("ON") else None
            # The old form `DROP INDEX table.index`.
            table = table or Name(("", *name.key[:2]), name.shown.rpartition(".")[0])
            if not self._is_own(table):
                message = f"drops the index `{name.shown}` on `{table.shown}` and does not create it again"
                self._drop_part(message, "index", *self._key(table), name.key[2])

    def alter(self, reader: Reader) -> None:
        if reader.accept("INDEX"):
            self._alter_index(reader)
            return
        if not reader.accept("TABLE") or (table := reader.name()) is None:
            return
        checking = reader.accept("CHECK", "NOCHECK") if reader.accept("WITH") else ""
        own = self._is_own(table)
        action = reader.accept("ADD", "DROP", "ALTER", "REBUILD", "CHECK")
        if action == "ADD":
            for definition in by_comma(reader.rest()):
                self._add(table, definition, nocheck=checking == "NOCHECK")
        elif own:
            return
        elif action == "DROP":
            self._drop_from(table, reader)
        elif action == "ALTER" and reader.accept("COLUMN"):
            self._alter_column(table, reader)
        elif action == "REBUILD" and not is_on(reader.rest(), "ONLINE"):
            self._report("rebuild-locks", f"everyone waits while `{table.shown}` is rebuilt")
        elif action == "CHECK" and checking == "CHECK":
            self._report("constraint-validated", f"reads all rows of `{table.shown}` under a schema lock")

    def _alter_index(self, reader: Reader) -> None:
        index = reader.name()
        if index is None or not reader.accept("ON") or (table := reader.name()) is None:
            return
        key = ("index", *self._key(table), index.key[2])
        if self._is_perhaps_own(table):
            return
        if reader.accept("DISABLE"):
            message = f"disables the index `{index.shown}` on `{table.shown}` and does not rebuild it"
            self._drop_part(message, *key)
        elif reader.accept("REBUILD"):
            everything = index.key[2] == "all"
            for other in [other for other in self._dropped if other == key or (everything and other[:-1] == key[:-1])]:
                del self._dropped[other]
            if not is_on(reader.rest(), "ONLINE"):
                what = f"all indexes of `{table.shown}` are" if everything else f"the index `{index.shown}` is"
                self._report("rebuild-locks", f"all writers wait while {what} rebuilt")

    def _add(self, table: Name, definition: list[Token], *, nocheck: bool) -> None:
        reader = Reader(definition)
        name = reader.name() if reader.accept("CONSTRAINT") else None
        if name is not None:
            self._make_part("constraint", *self._key(table), name.key[2])
        if self._is_perhaps_own(table):
            return
        shown = f"`{name.shown}`" if name else "a constraint"
        kind = reader.accept("PRIMARY", "UNIQUE", "FOREIGN", "CHECK", "DEFAULT", "PERIOD", "INDEX")
        if kind in ("PRIMARY", "UNIQUE"):
            if not is_on(definition, "ONLINE"):
                message = f"everyone waits while the index of {shown} is built on `{table.shown}`"
                self._report("constraint-validated", message)
        elif kind in ("FOREIGN", "CHECK"):
            if not nocheck:
                message = f"reads all rows of `{table.shown}` under a schema lock to check {shown}"
                self._report("constraint-validated", message)
        elif not kind and name is None:
            self._add_column(table, definition)

    def _add_column(self, table: Name, tokens: list[Token]) -> None:
        column = f"`{table.shown}.{tokens[0].text}`"
        definition = ColumnDefinition(tokens)
        if definition.not_null_without_default:
            message = f"adds the column {column} NOT NULL without a default, which fails as soon as there are rows"
            self._report("not-null-without-default", message)
        if definition.rewrites:
            message = f"adds the column {column} {definition.rewrites}: every row is rewritten under a schema lock"
            self._report("add-column-rewrites", message)
        if definition.indexed and not is_on(tokens, "ONLINE"):
            message = f"everyone waits while the index of the column {column} is built"
            self._report("constraint-validated", message)

    def _drop_from(self, table: Name, reader: Reader) -> None:
        what = "CONSTRAINT"
        for item in by_comma(reader.rest()):
            part = Reader(item)
            what = part.accept("COLUMN", "CONSTRAINT", "PERIOD", "INDEX") or what
            if part.accept("IF"):
                part.accept("EXISTS")
            name = part.name()
            if name is None:
                continue
            if what == "COLUMN":
                message = f"drops the column `{table.shown}.{name.shown}` with all its values"
                self._report("drop-column", message)
            elif what == "CONSTRAINT":
                message = f"drops the constraint `{name.shown}` of `{table.shown}` and does not add it again"
                self._drop_part(message, "constraint", *self._key(table), name.key[2])

    def _alter_column(self, table: Name, reader: Reader) -> None:
        token = reader.take()
        column = f"`{table.shown}.{token.text if token else '?'}`"
        if reader.accept("ADD", "DROP"):
            return  # a property such as SPARSE or MASKED, not the type
        rest = reader.rest()
        words = [part.keyword for part in rest]
        if not is_on(rest, "ONLINE"):
            self._report(
                "alter-column-type", f"changes the type of the column {column}: nobody can read the table meanwhile"
            )
        if ("NOT", "NULL") in pairwise(words):
            message = f"makes the column {column} NOT NULL: all rows are read under a schema lock, and a null fails it"
            self._report("set-not-null", message)

    def execute(self, reader: Reader) -> None:
        first = reader.peek()
        if first is not None and first.text.startswith("@"):
            reader.take()
            reader.accept("=")
        procedure = reader.name()
        if procedure is None or procedure.key[2] != "sp_rename":
            return
        values: dict[str, str] = {}
        for argument, place in zip(by_comma(reader.rest()), ("@objname", "@newname", "@objtype"), strict=False):
            named = len(argument) > 2 and argument[1].text == "="
            values[argument[0].text.lower() if named else place] = argument[-1].value
        self._rename(values.get("@objname", ""), values.get("@newname", ""), values.get("@objtype", "OBJECT").upper())

    def _rename(self, old: str, new: str, kind: str) -> None:
        name = Reader(list(tokenise(old))).name()
        if kind == "COLUMN":
            table = Name(("", *name.key[:2]), "") if name else None
            if table is None or not self._is_own(table):
                self._report("rename-column", f"renames the column `{old}`, which clients and modules may still use")
        elif kind in ("OBJECT", "NULL"):
            own = name is not None and self._is_own(name)
            if not own:
                self._report("rename-table", f"renames `{old}`, which clients and modules may still use")
            if name is not None:
                self._remove(self._key(name))
                if own:
                    self._own.add((*self._key(name)[:2], new.casefold()))

    def with_(self, reader: Reader) -> None:
        for item in by_comma(reader.rest()):
            part = Reader(item)
            name = part.name()
            part.group()  # its columns
            part.accept("AS")
            query = part.group()
            if name is not None and query is not None:
                self._queries[name.key[2]] = query

    def select(self, reader: Reader) -> None:
        while (token := reader.take()) is not None:
            if token.keyword == "INTO" and (name := reader.name()) is not None:
                self._create(name)
                return

    def update(self, reader: Reader) -> None:
        if not reader.accept("STATISTICS"):
            self._change(reader, "update-without-where", "rewrites every row of")

    def delete(self, reader: Reader) -> None:
        self._change(reader, "delete-without-where", "deletes every row of")

    def _change(self, reader: Reader, rule: str, what: str) -> None:
        if reader.accept("TOP"):
            reader.take()
            reader.accept("PERCENT")
        reader.accept("FROM")
        target = reader.name()
        if target is None:
            return
        scope = Scope(reader.rest())
        if not (scope.has_where or scope.has_inner_join) and not self._is_harmless(target, scope):
            self._report(rule, f"{what} `{target.shown}`")

    def _is_harmless(self, target: Name, scope: Scope) -> bool:
        """Whether a change without its own WHERE affects only tables of the script, or only selected rows."""
        source = next((source for source in scope.sources if target.is_plain and source.alias == target.key[2]), None)
        table = source.table if source is not None else target
        query = source.query if source is not None else ""
        if table is not None and table.is_plain:
            query = self._queries.get(table.key[2], "")
        if not query:
            return table is not None and self._is_own(table)
        inner = Scope(list(tokenise(query)))
        tables = [source.table for source in inner.sources[:1]]
        return inner.is_narrowed or any(name is not None and self._is_own(name) for name in tables)

    def truncate(self, reader: Reader) -> None:
        reader.accept("TABLE")
        table = reader.name()
        if table is not None and not self._is_own(table):
            self._report("truncate", f"empties `{table.shown}` without firing its delete triggers")


def lint(statements: Sequence[Statement], *, transaction: bool = True) -> list[Finding]:
    """Find statements that block others, destroy data, or fail; see `Lint`."""
    return _Linter(transaction=transaction).check(statements)


_CHECKS: dict[str, Callable[[_Linter, Reader], None]] = {
    "CREATE": _Linter.create,
    "DROP": _Linter.drop,
    "ALTER": _Linter.alter,
    "EXEC": _Linter.execute,
    "EXECUTE": _Linter.execute,
    "WITH": _Linter.with_,
    "SELECT": _Linter.select,
    "UPDATE": _Linter.update,
    "DELETE": _Linter.delete,
    "TRUNCATE": _Linter.truncate,
}
