"""Finds what a PostgreSQL script destroys, blocks, or cannot do.

The rules read tokens, so a string, a comment or a quoted name never looks like a
keyword. The body of a function or a DO block is a string and is not checked;
neither is a body in plain SQL or a rule's, because these run later. What a script
does to tables that it created itself harms nobody and is not reported.

Source of what locks, scans and rewrites: https://www.postgresql.org/docs/current/sql-altertable.html,
https://www.postgresql.org/docs/current/explicit-locking.html, tested on PostgreSQL 18.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from custctl.engines.linting import Linter
from custctl.engines.postgresql.reader import ColumnDefinition, Name, Reader
from custctl.engines.postgresql.rules import HINTS
from custctl.engines.postgresql.script import needs_autocommit
from custctl.engines.postgresql.tokens import Token, lower, tokenise
from custctl.engines.scripts import Finding, Statement
from custctl.engines.tokens import Kind

# Lock modes that let other clients write.
_MILD_LOCKS = ("ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE")
_CONSTRAINTS = {
    "CHECK": "a CHECK constraint",
    "EXCLUDE": "an EXCLUDE constraint",
    "FOREIGN": "a foreign key",
    "NOT": "a NOT NULL constraint",
    "PRIMARY": "a primary key",
    "UNIQUE": "a UNIQUE constraint",
}
# What DROP refers to with one word and a name.
_NAMED = frozenset(
    {"AGGREGATE", "COLLATION", "DOMAIN", "EXTENSION", "FUNCTION", "PROCEDURE", "ROUTINE", "SEQUENCE", "SERVER", "TYPE"}
)
# What may follow the queries of WITH.
_MAIN = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES", "TABLE"})
_TEMPORARY = "pg_temp"
_DEFAULT_PATH = "public"
_Key = tuple[str, str]


class _Linter(Linter):
    """The state of one script: what it has created so far, and what it dropped without creating it again."""

    hints = HINTS

    def __init__(self, *, transaction: bool) -> None:
        super().__init__(transaction=transaction)
        # The schema in which an unqualified name is looked up and created.
        self._path = _DEFAULT_PATH
        self._own_schemas.add(_TEMPORARY)
        # Constraints added NOT VALID, with their kind; those whose transaction is still open; tables with a validated
        # constraint that may say IS NOT NULL.
        self._unproven: dict[tuple[_Key, str], str] = {}
        self._held: set[tuple[_Key, str]] = set()
        self._proven: set[_Key] = set()

    def _read(self, statement: Statement) -> None:
        self._line = statement.line
        reader = Reader(tokenise(statement.text))
        if self._in_transaction and needs_autocommit(statement):
            start = " ".join(token.text for index in range(4) if (token := reader.peek(index)))
            self._report("concurrently-in-transaction", f"`{start}` fails inside a transaction")
        self.run(reader)

    def run(self, reader: Reader) -> None:
        check = _CHECKS.get(reader.keyword())
        if check is not None:
            reader.take()
            check(self, reader)

    # What the script created itself.

    def _key(self, name: Name) -> _Key:
        if name.schema is not None:
            return name.schema, name.name
        # A temporary table hides the one of the same name in a schema.
        temporary = (_TEMPORARY, name.name)
        return temporary if temporary in self._own else (self._path, name.name)

    def _is_own(self, name: Name) -> bool:
        key = self._key(name)
        return key in self._own or key[0] in self._own_schemas

    def _forget_parts(self, table: _Key) -> None:
        """Remove the findings about constraints and triggers of a table that is dropped as a whole."""
        self._dropped = {key: finding for key, finding in self._dropped.items() if key[1:3] != table}

    # CREATE and DROP.

    def create(self, reader: Reader) -> None:
        replaces = reader.phrase("OR", "REPLACE")
        reader.accept("GLOBAL", "LOCAL")
        temporary = bool(reader.accept("TEMP", "TEMPORARY"))
        reader.accept("UNLOGGED", "UNIQUE", "CONSTRAINT", "MATERIALIZED", "RECURSIVE", "FOREIGN")
        what = reader.accept("TABLE", "VIEW", "INDEX", "TRIGGER", "SCHEMA")
        if what == "INDEX":
            self._create_index(reader)
            return
        if_absent = reader.phrase("IF", "NOT", "EXISTS") or replaces
        if what == "SCHEMA":
            # A schema without a name has its owner's name.
            reader.accept("AUTHORIZATION")
        name = reader.name() if what else None
        if name is None:
            return
        if what == "SCHEMA":
            if not if_absent:
                self._own_schemas.add(name.name)
        elif what == "TRIGGER":
            if reader.skip_to("ON") and (table := reader.name()) is not None:
                self._make_part("trigger", *self._key(table), name.name)
        else:
            self._make((_TEMPORARY if temporary else name.schema or self._path, name.name), if_absent=if_absent)

    def _create_index(self, reader: Reader) -> None:
        concurrently = bool(reader.accept("CONCURRENTLY"))
        reader.phrase("IF", "NOT", "EXISTS")
        name = None if reader.keyword() == "ON" else reader.name()
        if name is not None:
            self._make_part("index", name.name)
        if not reader.accept("ON"):
            return
        # ON ONLY is for a partitioned table, which has no rows of its own.
        only = reader.keyword() == "ONLY"
        table = reader.table()
        if table is None or only or concurrently or self._is_own(table) or self._key(table) in self._perhaps_own:
            return
        index = f"the index `{name.shown}`" if name else "an index"
        self._report("create-index-locks", f"all writers wait while {index} is built on `{table.shown}`")

    def reindex(self, reader: Reader) -> None:
        options = reader.options()
        what = reader.accept("INDEX", "TABLE", "SCHEMA", "DATABASE", "SYSTEM")
        if reader.accept("CONCURRENTLY") or "CONCURRENTLY" in options:
            return
        name = reader.name()
        if name is not None:
            made = what == "INDEX" and ("index", name.name) in self._made
            if made or (what == "TABLE" and self._is_own(name)):
                return
        shown = f" `{name.shown}`" if name else ""
        self._report("create-index-locks", f"all writers wait while {what.lower()}{shown} is reindexed")

    def drop(self, reader: Reader) -> None:
        if reader.phrase("OWNED", "BY"):
            self._report("drop-table", "drops everything that a role owns, tables with their rows too")
            return
        foreign = bool(reader.accept("MATERIALIZED", "FOREIGN"))
        token = reader.take()
        what = token.keyword if token else ""
        reader.accept("CONCURRENTLY")
        reader.phrase("IF", "EXISTS")
        if what == "TRIGGER":
            self._drop_trigger(reader)
            return
        names = reader.tables()
        cascade = bool(reader.skip_to("CASCADE"))
        more = ", and by CASCADE what depends on it" if cascade else ""
        if what == "INDEX":
            for name in names:
                message = f"drops the index `{name.shown}` and does not create it again"
                self._drop_part(message, "index", name.name)
        elif what == "SCHEMA":
            lost = [name for name in names if name.name not in self._own_schemas]
            if cascade and lost:
                self._report("drop-table", f"drops the schema {_listed(lost)} with all its tables and their rows")
            # From here on, everything in a schema of that name is the script's own.
            self._own_schemas.update(name.name for name in names)
        elif what == "DATABASE":
            self._report("drop-table", f"drops the database {_listed(names)} with all its tables and their rows")
        elif what in ("TABLE", "VIEW"):
            lost = [name for name in names if not self._is_own(name)]
            if what == "VIEW" or foreign:
                if cascade and lost:
                    self._report("drop-cascade", f"drops the {what.lower()} {_listed(lost)}{more}")
            else:
                for name in lost:
                    self._report("drop-table", f"drops the table `{name.shown}` with all its rows and indexes{more}")
            for name in names:
                self._remove(self._key(name))
                self._forget_parts(self._key(name))
        elif cascade:
            shown = f"the {what.lower()} {_listed(names)}" if names and what in _NAMED else "an object"
            self._report("drop-cascade", f"drops {shown}{more}")

    def _drop_trigger(self, reader: Reader) -> None:
        name = reader.name()
        if name is None or not reader.accept("ON") or (table := reader.name()) is None or self._is_own(table):
            return
        message = f"drops the trigger `{name.shown}` on `{table.shown}` and does not create it again"
        self._drop_part(message, "trigger", *self._key(table), name.name)

    # ALTER.

    def alter(self, reader: Reader) -> None:
        if reader.accept("SCHEMA"):
            name = reader.name()
            if name is not None and reader.phrase("RENAME", "TO") and name.name not in self._own_schemas:
                self._report("rename-table", f"renames the schema `{name.shown}`, which clients may still use")
            return
        reader.accept("MATERIALIZED", "FOREIGN")
        what = reader.accept("TABLE", "VIEW").lower()
        if not what:
            return
        if reader.phrase("ALL", "IN", "TABLESPACE"):
            self._report("rewrite-table", "moves every table of a tablespace while their readers and writers wait")
            return
        reader.phrase("IF", "EXISTS")
        table = reader.table()
        if table is None:
            return
        if reader.accept("RENAME"):
            self._rename(what, table, reader)
        elif reader.phrase("SET", "SCHEMA"):
            self._move(f"moves the {what}", table, lambda key, new: (new, key[1]), reader.name())
        elif not self._is_own(table):
            for action in reader.items():
                self._action(table, Reader(action))

    def _rename(self, what: str, table: Name, reader: Reader) -> None:
        if reader.accept("TO"):
            self._move(f"renames the {what}", table, lambda key, new: (key[0], new), reader.name())
        elif not reader.accept("CONSTRAINT") and not self._is_own(table):
            reader.accept("COLUMN")
            column = _column(table, reader)
            self._report("rename-column", f"renames the column {column}, which clients may still use")

    def _move(self, deed: str, table: Name, moved: Callable[[_Key, str], _Key], new: Name | None) -> None:
        own = self._is_own(table)
        if not own:
            self._report("rename-table", f"{deed} `{table.shown}`, which clients may still use")
        if new is not None:
            old_key = self._key(table)
            self._remove(old_key)
            if own:
                self._make(moved(old_key, new.name), if_absent=False)

    def _action(self, table: Name, reader: Reader) -> None:
        """Check one of the comma-separated actions of ALTER TABLE."""
        verb = reader.accept("ADD", "DROP", "ALTER", "VALIDATE", "SET")
        if verb == "ADD":
            self._add(table, reader)
        elif verb == "DROP":
            self._drop_from(table, reader)
        elif verb == "ALTER" and reader.keyword() != "CONSTRAINT":
            self._alter_column(table, reader)
        elif verb == "VALIDATE":
            self._validate(table, reader)
        elif verb == "SET" and (reader.accept("LOGGED", "UNLOGGED", "TABLESPACE") or reader.phrase("ACCESS", "METHOD")):
            self._report("rewrite-table", f"rewrites the table `{table.shown}` while readers and writers wait")

    def _add(self, table: Name, reader: Reader) -> None:
        name = reader.name() if reader.accept("CONSTRAINT") else None
        kind = reader.accept("CHECK", "FOREIGN", "UNIQUE", "PRIMARY", "NOT")
        if not kind and reader.keyword() == "EXCLUDE":
            # Not a reserved word: a column may have this name.
            following = reader.peek(1)
            if following is not None and (following.keyword == "USING" or following.mark == "("):
                kind = reader.accept("EXCLUDE")
        if not kind:
            self._add_column(table, reader)
            return
        if name is not None:
            self._make_part("constraint", *self._key(table), name.name)
        shown = f"the constraint `{name.shown}`" if name else _CONSTRAINTS[kind]
        not_valid = exempt = False
        while (token := reader.top_level()) is not None:
            if token.keyword == "NOT":
                not_valid = not_valid or bool(reader.accept("VALID"))
                exempt = exempt or bool(reader.accept("ENFORCED"))
            elif token.keyword == "USING" and reader.accept("INDEX") and reader.keyword() != "TABLESPACE":
                exempt = True
        if not_valid:
            if name is not None:
                self._unproven[self._key(table), name.name] = kind
                if self._in_transaction:
                    self._held.add((self._key(table), name.name))
        elif kind == "NOT" and not exempt:
            self._report("set-not-null", f"adds {shown} to `{table.shown}` and reads every row while all wait")
        elif not exempt:
            wait = "writers of both tables wait" if kind == "FOREIGN" else "readers and writers wait"
            deed = "checks every row" if kind in ("CHECK", "FOREIGN") else "builds its index"
            self._report("constraint-validated", f"adds {shown} to `{table.shown}` and {deed} while {wait}")

    def _add_column(self, table: Name, reader: Reader) -> None:
        reader.accept("COLUMN")
        reader.phrase("IF", "NOT", "EXISTS")
        column = _column(table, reader)
        definition = ColumnDefinition(reader)
        if definition.rewrites:
            message = f"adds the column {column} {definition.rewrites}, for which every row is rewritten"
            self._report("add-column-rewrites", message)
        if definition.not_null_without_default:
            message = f"adds the column {column} NOT NULL without a default, which fails as soon as there are rows"
            self._report("not-null-without-default", message)
        if definition.checked:
            message = (
                f"adds the column {column} with {definition.checked}, which blocks everyone while rows are checked"
            )
            self._report("constraint-validated", message)

    def _drop_from(self, table: Name, reader: Reader) -> None:
        constraint = reader.accept("CONSTRAINT")
        if not constraint:
            reader.accept("COLUMN")
        reader.phrase("IF", "EXISTS")
        if not constraint:
            self._report("drop-column", f"drops the column {_column(table, reader)} with all its values")
        elif (name := reader.name()) is not None:
            message = f"drops the constraint `{name.shown}` of `{table.shown}` and does not add it again"
            self._drop_part(message, "constraint", *self._key(table), name.name)

    def _alter_column(self, table: Name, reader: Reader) -> None:
        reader.accept("COLUMN")
        column = _column(table, reader)
        if reader.phrase("SET", "NOT", "NULL"):
            # With a validated constraint that says so, PostgreSQL does not read the rows.
            if self._key(table) not in self._proven:
                self._report("set-not-null", f"reads every row of `{table.shown}` for {column} while all wait")
        elif reader.phrase("SET", "DATA", "TYPE") or reader.accept("TYPE"):
            message = f"changes the type of {column}, for which every row may be rewritten while all wait"
            self._report("alter-column-type", message)
        elif reader.phrase("SET", "EXPRESSION"):
            self._report("rewrite-table", f"recomputes {column} in every row while readers and writers wait")

    def _validate(self, table: Name, reader: Reader) -> None:
        name = reader.name() if reader.accept("CONSTRAINT") else None
        if name is None:
            return
        key = self._key(table)
        if (key, name.name) in self._held:
            message = f"validates `{name.shown}` on `{table.shown}` in the transaction that added it and holds its lock"
            self._report("constraint-validated", message)
        if self._unproven.get((key, name.name)) != "FOREIGN":
            self._proven.add(key)

    # Rows.

    def with_(self, reader: Reader) -> None:
        reader.accept("RECURSIVE")
        reader.take()
        while reader.peek() is not None and reader.keyword() not in _MAIN:
            if reader.accept("AS"):
                reader.accept("NOT")
                reader.accept("MATERIALIZED")
                # A statement in a WITH may write, even if its result is not read.
                self.run(Reader(reader.group() or ()))
            elif reader.accept(","):
                # The name of the next query, which may be a keyword.
                reader.take()
            elif reader.group() is None:
                reader.take()
        self.run(reader)

    def update(self, reader: Reader) -> None:
        table = reader.table()
        if table is not None and not self._is_own(table) and not reader.skip_to("WHERE"):
            self._report("update-without-where", f"rewrites every row of `{table.shown}`, and locks it until the end")

    def delete(self, reader: Reader) -> None:
        if not reader.accept("FROM") or (table := reader.table()) is None or self._is_own(table):
            return
        if not reader.skip_to("WHERE"):
            self._report("delete-without-where", f"deletes every row of `{table.shown}`")

    def select(self, reader: Reader) -> None:
        called = 2 if reader.keyword() == "PG_CATALOG" else 0
        if reader.keyword(called) == "SET_CONFIG":
            self._set_config(reader)
            return
        # SELECT … INTO creates a table.
        if reader.skip_to("INTO", "FROM") != "INTO":
            return
        temporary = bool(reader.accept("TEMP", "TEMPORARY"))
        reader.accept("UNLOGGED")
        reader.accept("TABLE")
        name = reader.name()
        if name is not None:
            self._make((_TEMPORARY if temporary else name.schema or self._path, name.name), if_absent=False)

    def truncate(self, reader: Reader) -> None:
        reader.accept("TABLE")
        names = [name for name in reader.tables() if not self._is_own(name)]
        if names:
            more = ", and of all tables that refer to it" if reader.skip_to("CASCADE") else ""
            self._report("truncate", f"deletes every row of {_listed(names)} at once{more}")

    # Locks and rewrites.

    def lock(self, reader: Reader) -> None:
        reader.accept("TABLE")
        names = [name for name in reader.tables() if not self._is_own(name)]
        mode: list[str] = []
        if reader.accept("IN"):
            while (token := reader.take()) is not None and token.keyword != "MODE":
                mode.append(token.keyword)
        shown = " ".join(mode) or "ACCESS EXCLUSIVE"
        if names and shown not in _MILD_LOCKS:
            self._report("lock-table", f"locks {_listed(names)} in {shown} mode until the transaction ends")

    def vacuum(self, reader: Reader) -> None:
        if "FULL" not in reader.options() and not reader.accept("FULL"):
            return
        while reader.accept("FREEZE", "VERBOSE", "ANALYZE", "ANALYSE"):
            pass
        self._rewrite(reader)

    def cluster(self, reader: Reader) -> None:
        reader.group()
        reader.accept("VERBOSE")
        self._rewrite(reader)

    def _rewrite(self, reader: Reader) -> None:
        names = reader.tables()
        lost = [name for name in names if not self._is_own(name)]
        if lost or not names:
            what = _listed(lost) or "every table"
            self._report("rewrite-table", f"rewrites {what} while readers and writers wait")

    # The session.

    def set(self, reader: Reader) -> None:
        reader.accept("SESSION", "LOCAL")
        if reader.accept("SCHEMA"):
            self._look_in(reader.items())
        elif reader.accept("SEARCH_PATH"):
            reader.accept("=", "TO")
            self._look_in(reader.items())

    def reset(self, reader: Reader) -> None:
        if reader.accept("SEARCH_PATH", "ALL"):
            self._path = _DEFAULT_PATH

    def _set_config(self, reader: Reader) -> None:
        """Read a call of the function that pg_dump uses to empty the search path."""
        reader.name()
        arguments = Reader(reader.group() or ()).items()
        setting, value = [*arguments, [], []][:2]
        if setting and value and lower(setting[0].text) == "'search_path'":
            self._look_in(Reader(tokenise(value[0].text.strip("'"))).items())

    def _look_in(self, path: list[list[Token]]) -> None:
        """Note the schema in which unqualified names are created from here on: the first of the path."""
        for entry in path:
            token = entry[0] if entry else None
            if token is None:
                self._path = ""
            elif token.keyword == "DEFAULT":
                self._path = _DEFAULT_PATH
            elif token.text in ('"$user"', "'$user'"):
                continue
            else:
                string = token.text.strip("'") if token.kind is Kind.STRING else None
                self._path = token.identifier or string or ""
            return

    def begin(self, reader: Reader) -> None:
        self._in_transaction = True

    def end(self, reader: Reader) -> None:
        reader.accept("WORK", "TRANSACTION")
        if reader.accept("TO"):
            return
        self._in_transaction = reader.phrase("AND", "CHAIN")
        self._held.clear()


def _listed(names: Sequence[Name]) -> str:
    return ", ".join(f"`{name.shown}`" for name in names)


def _column(table: Name, reader: Reader) -> str:
    token = reader.take()
    return f"`{table.shown}.{token.text if token else '?'}`"


def lint(statements: Sequence[Statement], *, transaction: bool = True) -> list[Finding]:
    """Find what locks, destroys data, or cannot run; see `Lint`."""
    return _Linter(transaction=transaction).check(statements)


_CHECKS: dict[str, Callable[[_Linter, Reader], None]] = {
    "CREATE": _Linter.create,
    "DROP": _Linter.drop,
    "ALTER": _Linter.alter,
    "REINDEX": _Linter.reindex,
    "WITH": _Linter.with_,
    "UPDATE": _Linter.update,
    "DELETE": _Linter.delete,
    "SELECT": _Linter.select,
    "TRUNCATE": _Linter.truncate,
    "LOCK": _Linter.lock,
    "VACUUM": _Linter.vacuum,
    "CLUSTER": _Linter.cluster,
    "SET": _Linter.set,
    "RESET": _Linter.reset,
    "BEGIN": _Linter.begin,
    "START": _Linter.begin,
    "COMMIT": _Linter.end,
    "END": _Linter.end,
    "ROLLBACK": _Linter.end,
    "ABORT": _Linter.end,
}
