"""The connection that runs SQLite's migration scripts, and how a transaction begins there."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from custctl.engines.scripting import ScriptSession
from custctl.engines.sqlite.errors import is_busy
from custctl.engines.sqlite.own_words import before_dropping
from custctl.engines.sqlite.running import begin_immediate
from custctl.engines.sqlite.tokens import first_word, tokenise
from custctl.schema.names import BOOTSTRAP
from custctl.support.errors import CustctlError

if TYPE_CHECKING:
    from pathlib import Path

    from custctl.engines.scripts import Statement
    from custctl.engines.sqlite.running import SqliteConnection

_OURS = ", ".join(f"'{name}'" for name in BOOTSTRAP)
_MOST_PAGES = 2**30 - 1  # the lowest default of any version
# The temporary objects that would receive this program's own rows, or drop them.
_IN_THE_WAY = f"SELECT type, name FROM sqlite_temp_master WHERE lower(tbl_name) IN ({_OURS}) AND type <> 'index'"
_ATTACHED_TWICE = "SELECT 1 FROM pragma_database_list WHERE file <> '' GROUP BY file HAVING count(*) > 1"


class File(Protocol):
    """What a script session needs from the database."""

    path: Path
    timeout: float

    def connect(self) -> SqliteConnection:
        """Return the open connection, or a new one."""

    def detach(self) -> SqliteConnection | None:
        """Hand over the open connection, if any."""

    def errors(self) -> AbstractContextManager[None]:
        """Translate the driver's errors in the block."""

    def close(self) -> None:
        """Close the connection."""


class SqliteScriptSession(ScriptSession):
    """Scripts run with SQLite's own defaults: foreign keys are checked at the end, as rebuilding a table requires."""

    def __init__(self, database: File) -> None:
        self._database = database
        self._open()

    def _open(self) -> None:
        before = self._database.detach()
        if before is not None and not before.closed and _locks_the_file(before.driver):
            # No other connection can be opened while it is open.
            before.close()
            before = None
        self.connection = self._database.connect()
        self._driver = self.connection.driver
        self._driver.execute("PRAGMA foreign_keys = OFF")
        self._check_keys = False
        self._settings_changed = False
        self._query_only = False
        if before is not None:
            # Open the log on the new connection, by reading, before closing the old one: the last connection to close
            # writes the log back and removes it.
            self._driver.execute("PRAGMA schema_version").fetchone()
            before.close()

    def errors(self) -> AbstractContextManager[None]:
        return self._database.errors()

    def begin(self) -> None:
        with self._database.errors():
            self._allow_writes()
            begin_immediate(self._driver, self._database.timeout)

    def become_own(self) -> None:
        with self._database.errors():
            self._allow_writes()
            found = self._driver.execute(_IN_THE_WAY).fetchone()
        if found is not None:
            kind, name = found
            raise CustctlError(
                f"the temporary {kind} `{name}` is in the way of a table that belongs to custctl",
                hint="drop it at the end of the script, or give it another name",
            )

    def _allow_writes(self) -> None:
        """Lift what a script may have set to limit writes: `query_only` applies to the script's own statements only."""
        if self._settings_changed:
            self._driver.execute(f"PRAGMA max_page_count = {_MOST_PAGES}")
        if self._refuses_writes():
            self._driver.execute("PRAGMA query_only = OFF")
            self._query_only = True

    def _refuses_writes(self) -> bool:
        return self._settings_changed and bool(self._driver.execute("PRAGMA query_only").fetchone()[0])

    def run(self, statement: Statement) -> None:
        word = first_word(statement.text)
        if word == "PRAGMA" and _limits_memory(statement.text):
            raise CustctlError(
                "`hard_heap_limit` limits the memory of the whole process, and cannot be raised again: remove it"
            )
        with self._database.errors():
            if self._query_only:
                self._driver.execute("PRAGMA query_only = ON")
                self._query_only = False
            if word in ("COMMIT", "END"):
                self._check_foreign_keys()
            try:
                before_dropping(self._driver, statement.text)
                for _ in self._driver.execute(statement.text):
                    pass
            except sqlite3.Warning as error:
                # Python 3.11 raises a Warning, not an Error, for two statements in one.
                raise CustctlError(str(error)) from error
            except sqlite3.Error as error:
                if not self._is_scripts_own(word, error):
                    raise
                raise CustctlError(str(error)) from error
            if word == "ATTACH" and self._driver.execute(_ATTACHED_TWICE).fetchone():
                raise CustctlError("it attaches this database's own file, whose lock the script holds: use `main`")
        self._settings_changed |= word in ("PRAGMA", "ATTACH", "DETACH")
        self._check_keys |= word not in ("CREATE", "PRAGMA", "SELECT", "ANALYZE", "BEGIN", "COMMIT", "END")

    def _is_scripts_own(self, word: str, error: sqlite3.Error) -> bool:
        """Tell whether an error is about what the script names or sets, rather than about this database."""
        name = str(getattr(error, "sqlite_errorname", ""))
        if name.startswith("SQLITE_READONLY"):
            return self._refuses_writes()
        if name.startswith("SQLITE_FULL"):
            most: int = self._driver.execute("PRAGMA max_page_count").fetchone()[0]
            return self._settings_changed and most < _MOST_PAGES
        if name.startswith("SQLITE_LOCKED"):
            return True  # by this connection itself; another one's lock is SQLITE_BUSY
        # The database that cannot be opened is another one.
        return word == "ATTACH" and not is_busy(error)

    def commit(self) -> None:
        with self._database.errors():
            self._check_foreign_keys()
            self._driver.execute("COMMIT")

    def _check_foreign_keys(self) -> None:
        """Refuse newly broken foreign keys; keys that were broken before the script do not block it."""
        if not self._check_keys:
            return
        broken = _broken_keys(self._driver)
        if broken:
            before = self._broken_before()
            for (child, parent), count in broken.items():
                if count > before[child, parent]:
                    rows = f"{count - before[child, parent]} rows" if count - before[child, parent] > 1 else "a row"
                    raise CustctlError(f"{rows} of `{child}` would refer to a missing row of `{parent}`")
        self._check_keys = False

    def _broken_before(self) -> Counter[tuple[str, str]]:
        """Return the broken keys in the last committed state; empty if that cannot be read now."""
        try:
            other = sqlite3.connect(f"{self._database.path.as_uri()}?mode=ro", uri=True, timeout=0)
            try:
                return _broken_keys(other)
            finally:
                other.close()
        except sqlite3.Error:
            return Counter()

    def rollback(self) -> None:
        try:
            if self._driver.in_transaction:
                self._driver.execute("ROLLBACK")
        except sqlite3.Error:
            # A full disk can make this fail too; a new connection has the same effect.
            self._open()

    def in_transaction(self) -> bool:
        return self._driver.in_transaction

    def holds_lock(self) -> bool:
        return True  # this process holds the lock, on a file that stays open

    def reset(self) -> None:
        # Only a new connection resets everything, but it costs more than a small script, so open one only if needed.
        temporary = self._driver.execute("SELECT 1 FROM sqlite_temp_master LIMIT 1").fetchone()
        if self._settings_changed or temporary:
            self._open()
        self._check_keys = False

    def close(self) -> None:
        """Roll back the open transaction and close."""
        self.rollback()
        self._database.close()


def _locks_the_file(driver: sqlite3.Connection) -> bool:
    """Tell whether a connection has locked all others out, as a script may request."""
    mode: str = driver.execute("PRAGMA locking_mode").fetchone()[0]
    return mode == "exclusive"


def _limits_memory(pragma: str) -> bool:
    return "HARD_HEAP_LIMIT" in [token.identifier for token in tokenise(pragma)][1:-1]


def _broken_keys(driver: sqlite3.Connection) -> Counter[tuple[str, str]]:
    """Count the rows that refer to missing rows, by (child, parent) table."""
    return Counter((child, parent) for child, _, parent, _ in driver.execute("PRAGMA foreign_key_check"))
