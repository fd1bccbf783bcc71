"""Finds what an SQLite script destroys, blocks, or silently does not do.

The rules read tokens, so a string, a comment or a quoted name never looks like a
keyword. The body of a trigger is not checked, because it runs later. What a script
does to tables that it created itself harms nobody and is not reported.

Source of what SQLite does: https://sqlite.org/lang_altertable.html,
https://sqlite.org/pragma.html, https://sqlite.org/lang_conflict.html.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from custctl.engines.linting import Linter
from custctl.engines.scripts import Finding, Statement
from custctl.engines.sqlite.reader import ColumnDefinition, Name, Reader

_HINTS = {
    "drop-table": "stop using the table first and drop it in a later release; if it is rebuilt, compare the old and"
    " new rows first, and recreate its indexes and triggers: they are dropped with it",
    "drop-column": "stop reading and writing the column first, and drop it in a later release",
    "drop-index": "make sure that no query or unique rule needs it, or create its replacement in this script",
    "drop-trigger": "create its successor in this script, or say why the rule that it kept no longer holds",
    "rename-table": "create the new name as a view on the old one, migrate the clients, then rename",
    "rename-column": "add the new column, write both, migrate the clients, then drop the old one",
    "not-null-without-default": "give the column a constant DEFAULT, or add it nullable, fill it, and add a CHECK by"
    " rebuilding the table",
    "add-column-refused": "add a plain column, fill it by UPDATE, and enforce the rule with CREATE UNIQUE INDEX",
    "create-index-locks": "run it in a quiet period, in a separate script, with a busy timeout in the writers that is"
    " longer than the build",
    "update-without-where": "restrict the rows with WHERE; rewrite a large table in batches over ranges of its key",
    "delete-without-where": "restrict the rows with WHERE; empty a large table in batches over ranges of its key",
    "replace-into": "use INSERT … ON CONFLICT (key) DO UPDATE SET …, which changes the existing row",
    "pragma-in-transaction": "set it in a script of its own with `-- custctl: transaction=off`; for foreign keys,"
    " `PRAGMA defer_foreign_keys = on` works inside",
    "vacuum-in-transaction": "put it in a separate script with `-- custctl: transaction=off`",
    "attach-database": "move rows between files with export and import",
}

RULES: Mapping[str, str] = MappingProxyType(
    {
        "drop-table": "a table is dropped with all its rows, indexes and triggers",
        "drop-column": "a column is dropped with all its values, and every row is rewritten under the write lock",
        "drop-index": "an index is dropped and not recreated: a unique rule may be lost with it",
        "drop-trigger": "a trigger is dropped and not recreated: the rule that it enforced no longer applies",
        "rename-table": "a table is renamed while clients still use the old name",
        "rename-column": "a column is renamed while clients still use the old name",
        "not-null-without-default": "a NOT NULL column without a default is added: it fails as soon as there are rows",
        "add-column-refused": "a column is added that SQLite refuses: unique, a key, stored, a computed default",
        "create-index-locks": "an index is built on a table that has rows: all writers wait",
        "update-without-where": "every row of a table is rewritten under the write lock",
        "delete-without-where": "every row of a table is deleted",
        "replace-into": "REPLACE deletes the conflicting row: columns not named are lost, delete triggers do not fire",
        "pragma-in-transaction": "a pragma that does nothing, or fails, inside the script's transaction",
        "vacuum-in-transaction": "VACUUM fails inside the script's transaction",
        "attach-database": "another database file is used, which has its own path and transaction",
    }
)

# Tested on SQLite 3.40: foreign_keys, page_size and auto_vacuum are silently ignored, the others raise an error.
_OUTSIDE_ONLY = frozenset({"FOREIGN_KEYS", "JOURNAL_MODE", "SYNCHRONOUS", "WAL_CHECKPOINT", "PAGE_SIZE", "AUTO_VACUUM"})
_Key = tuple[str, str]


class _Linter(Linter):
    """The state of one script: what it has created so far, and what it dropped without creating it again."""

    hints = _HINTS

    def __init__(self, *, transaction: bool) -> None:
        super().__init__(transaction=transaction)
        # Tables by (schema, name): created by this script, so that they hold only what it wrote; created only if they
        # did not exist; dropped or renamed by this script.
        self._own: set[_Key] = set()
        self._perhaps_own: set[_Key] = set()
        self._gone: set[_Key] = set()
        # Indexes and triggers.
        self._made: set[tuple[str, str]] = set()

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
        temporary = ("TEMP", name.folded)
        return temporary if temporary in self._own else ("MAIN", name.folded)

    def _is_own(self, name: Name) -> bool:
        key = self._key(name)
        return key in self._own or key[0] == "TEMP"

    def _make(self, key: _Key, *, if_absent: bool) -> None:
        # With IF NOT EXISTS the table may be an older one, unless the script has just dropped it.
        if not if_absent or key in self._gone or key[0] == "TEMP":
            self._own.add(key)
        else:
            self._perhaps_own.add(key)
        self._gone.discard(key)

    def _remove(self, key: _Key) -> None:
        self._own.discard(key)
        self._perhaps_own.discard(key)
        self._gone.add(key)

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
            self._make(("TEMP" if temporary else name.schema or "MAIN", name.folded), if_absent=if_absent)
            return
        self._made.add((what, name.folded))
        self._dropped.pop((what, name.folded), None)
        if what == "INDEX" and reader.accept("ON") and (table := reader.name()) is not None:
            # The schema precedes the index's name, never the table's.
            table = table._replace(schema=name.schema)
            if not self._is_own(table) and self._key(table) not in self._perhaps_own:
                message = f"all writers wait while the index `{name.shown}` is built on `{table.shown}`"
                self._report("create-index-locks", message)

    def reindex(self, reader: Reader) -> None:
        name = reader.name()
        if name is not None and self._is_own(name):
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
        elif (what, name.folded) not in self._made:
            rule = f"drop-{what.lower()}"
            message = f"drops the {what.lower()} `{name.shown}` and does not create it again"
            self._dropped.setdefault((what, name.folded), self._finding(rule, message))

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
        if name is None or name.folded not in _OUTSIDE_ONLY or not self._in_transaction:
            return
        if reader.accept("=", "(") or name.folded == "WAL_CHECKPOINT":
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
