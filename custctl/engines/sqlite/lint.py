"""Finds what an SQLite script destroys, blocks, or silently does not do.

The rules read tokens, so a string, a comment or a quoted name never looks like a
keyword. The body of a trigger is not checked, because it runs later. What a script
does to tables that it created itself harms nobody and is not reported.

Source of what SQLite does: https://sqlite.org/lang_altertable.html,
https://sqlite.org/pragma.html, https://sqlite.org/lang_conflict.html.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from custctl.engines.linting import Linter
from custctl.engines.scripts import Finding, Statement
from custctl.engines.sqlite.reader import ColumnDefinition, Name, Reader
from custctl.engines.sqlite.rules import HINTS

# Tested on SQLite 3.40: foreign_keys, page_size and auto_vacuum are silently ignored, the others raise an error.
_OUTSIDE_ONLY = frozenset({"FOREIGN_KEYS", "JOURNAL_MODE", "SYNCHRONOUS", "WAL_CHECKPOINT", "PAGE_SIZE", "AUTO_VACUUM"})
_TEMPORARY = "TEMP"
_Key = tuple[str, str]


class _Linter(Linter):
    """The state of one script: what it has created so far, and what it dropped without creating it again."""

    hints = HINTS

    def __init__(self, *, transaction: bool) -> None:
        super().__init__(transaction=transaction)
        self._own_schemas.add(_TEMPORARY)

    def _read(self, statement: Statement) -> None:
        self._line = statement.line
        reader = Reader(statement.text)
        check = _CHECKS.get(reader.keyword())
        if check is not None:
            reader.take()
            check(self, reader)

    # What the script created itself.

    def _key(self, name: Name) -> _Key:
        if name.schema is not None:
            return name.schema, name.folded
        # A temporary table hides the one of the same name in the file.
        temporary = (_TEMPORARY, name.folded)
        return temporary if temporary in self._own else ("MAIN", name.folded)

    def _is_own(self, name: Name) -> bool:
        key = self._key(name)
        return key in self._own or key[0] in self._own_schemas

    # One method per first keyword.

    def create(self, reader: Reader) -> None:
        temporary = bool(reader.accept("TEMP", "TEMPORARY"))
        reader.accept("UNIQUE", "VIRTUAL")
        what = reader.accept("TABLE", "INDEX", "TRIGGER")
        if not what:
            return
        if_absent = bool(reader.accept("IF") and reader.accept("NOT") and reader.accept("EXISTS"))
        name = reader.name()
        if name is None:
            return
        if what == "TABLE":
            self._make((_TEMPORARY if temporary else name.schema or "MAIN", name.folded), if_absent=if_absent)
            return
        self._make_part(what.lower(), name.folded)
        if what == "INDEX" and reader.accept("ON") and (table := reader.name()) is not None:
            # The schema precedes the index's name, never the table's.
            table = table._replace(schema=name.schema)
            if not self._is_own(table) and self._key(table) not in self._perhaps_own:
                message = f"all writers wait while the index `{name.shown}` is built on `{table.shown}`"
                self._report("create-index-locks", message)

    def reindex(self, reader: Reader) -> None:
        name = reader.name()
        if name is not None and (self._is_own(name) or ("index", name.folded) in self._made):
            return
        what = f"`{name.shown}`" if name else "every index"
        self._report("create-index-locks", f"all writers wait while {what} is rebuilt")

    def drop(self, reader: Reader) -> None:
        what = reader.accept("TABLE", "INDEX", "TRIGGER")
        if not what:
            return
        if reader.accept("IF"):
            reader.accept("EXISTS")
        name = reader.name()
        if name is None:
            return
        if what == "TABLE":
            if not self._is_own(name):
                self._report("drop-table", f"drops the table `{name.shown}` with all its rows, indexes and triggers")
            self._remove(self._key(name))
        else:
            kind = what.lower()
            self._drop_part(f"drops the {kind} `{name.shown}` and does not create it again", kind, name.folded)

    def alter(self, reader: Reader) -> None:
        if not reader.accept("TABLE") or (table := reader.name()) is None:
            return
        action = reader.accept("RENAME", "DROP", "ADD")
        own = self._is_own(table)
        if action == "RENAME" and reader.accept("TO"):
            new = reader.name()
            if not own:
                self._report("rename-table", f"renames the table `{table.shown}`, which clients may still use")
            if new is not None:
                old_key = self._key(table)
                self._remove(old_key)
                if own:
                    self._make((old_key[0], new.folded), if_absent=False)
        elif own:
            return
        elif action == "ADD":
            self._add_column(table, reader)
        elif action:
            reader.accept("COLUMN")
            token = reader.take()
            column = f"`{table.shown}.{token.text if token else '?'}`"
            if action == "DROP":
                self._report("drop-column", f"drops the column {column} with all its values")
            else:
                self._report("rename-column", f"renames the column {column}, which clients may still use")

    def _add_column(self, table: Name, reader: Reader) -> None:
        reader.accept("COLUMN")
        token = reader.take()
        column = f"`{table.shown}.{token.text if token else '?'}`"
        definition = ColumnDefinition(reader)
        if definition.refused:
            message = f"adds the column {column} as {definition.refused}, which SQLite refuses"
            self._report("add-column-refused", message)
        if definition.not_null_without_default:
            message = f"adds the column {column} NOT NULL without a default, which fails as soon as there are rows"
            self._report("not-null-without-default", message)

    def with_(self, reader: Reader) -> None:
        reader.accept("RECURSIVE")
        while reader.take() is not None:
            reader.group()
            while reader.accept("AS", "NOT", "MATERIALIZED"):
                pass
            reader.group()
            if not reader.accept(","):
                break
        verb = reader.accept("UPDATE", "DELETE", "INSERT", "REPLACE")
        if verb:
            _CHECKS[verb](self, reader)

    def update(self, reader: Reader) -> None:
        replaces = reader.accept("OR") and reader.accept("REPLACE", "IGNORE", "ABORT", "FAIL", "ROLLBACK") == "REPLACE"
        table = reader.name()
        if table is None or self._is_own(table):
            return
        if replaces:
            self._report("replace-into", f"deletes the rows of `{table.shown}` that conflict with the update")
        if not reader.has_where():
            self._report("update-without-where", f"rewrites every row of `{table.shown}` under the write lock")

    def delete(self, reader: Reader) -> None:
        if not reader.accept("FROM") or (table := reader.name()) is None or self._is_own(table):
            return
        if not reader.has_where():
            self._report("delete-without-where", f"deletes every row of `{table.shown}`")

    def insert(self, reader: Reader) -> None:
        if reader.accept("OR") and reader.accept("REPLACE"):
            self.replace(reader)

    def replace(self, reader: Reader) -> None:
        if reader.accept("INTO") and (table := reader.name()) is not None and not self._is_own(table):
            self._report("replace-into", f"deletes the rows of `{table.shown}` that conflict, then inserts")

    def pragma(self, reader: Reader) -> None:
        name = reader.name()
        if name is None:
            return
        sets = bool(reader.accept("=", "("))
        if name.folded == "WRITABLE_SCHEMA" and sets:
            self._report("writable-schema", "lets statements write to SQLite's own record of the schema")
        if name.folded in _OUTSIDE_ONLY and self._in_transaction and (sets or name.folded == "WAL_CHECKPOINT"):
            self._report("pragma-in-transaction", f"`PRAGMA {name.shown}` does nothing, or fails, inside a transaction")

    def vacuum(self, reader: Reader) -> None:
        if self._in_transaction:
            self._report("vacuum-in-transaction", "`VACUUM` fails inside a transaction")

    def attach(self, reader: Reader) -> None:
        self._report("attach-database", "uses another database file, which no backup or lock of this one covers")

    def begin(self, reader: Reader) -> None:
        self._in_transaction = True

    def end(self, reader: Reader) -> None:
        reader.accept("TRANSACTION")
        if not reader.accept("TO"):
            self._in_transaction = False


def lint(statements: Sequence[Statement], *, transaction: bool = True) -> list[Finding]:
    """Find what locks, destroys data, or silently does nothing; see `Lint`."""
    return _Linter(transaction=transaction).check(statements)


_CHECKS: dict[str, Callable[[_Linter, Reader], None]] = {
    "CREATE": _Linter.create,
    "DROP": _Linter.drop,
    "ALTER": _Linter.alter,
    "WITH": _Linter.with_,
    "UPDATE": _Linter.update,
    "DELETE": _Linter.delete,
    "INSERT": _Linter.insert,
    "REPLACE": _Linter.replace,
    "REINDEX": _Linter.reindex,
    "PRAGMA": _Linter.pragma,
    "VACUUM": _Linter.vacuum,
    "ATTACH": _Linter.attach,
    "DETACH": _Linter.attach,
    "BEGIN": _Linter.begin,
    "COMMIT": _Linter.end,
    "END": _Linter.end,
    "ROLLBACK": _Linter.end,
}
