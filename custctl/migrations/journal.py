"""The journal: which scripts were applied to a database, with their exact text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from custctl.engines.scripting import RowWithheldError
from custctl.migrations.spaces import Space, number_of, space_of
from custctl.schema import names
from custctl.schema.standing import Standing, read_standing
from custctl.support.errors import ExitCode, MigrationError, RefusedError, StatementError
from custctl.support.version import __version__

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection
    from custctl.engines.results import Result, Row
    from custctl.engines.scripting import ScriptSession
    from custctl.migrations.scripts import Script

DONE = ("applied", "baseline")
"""The states of a script that does not need to run."""


class Record(NamedTuple):
    """One script in the journal.

    Attributes:
        state: running, applied, failed or baseline.
        script: the text that was applied.
        statements_applied: how many statements took effect.
        in_flight: the 0-based number of a statement outside a transaction that started and is not known to have
            finished, or None.
    """

    id: int
    version: int | None
    name: str
    description: str
    kind: str
    checksum: str
    script: str
    state: str
    statements_applied: int
    statements_total: int
    in_flight: int | None
    error: str | None
    started_at: str
    finished_at: str | None
    duration_ms: int | None
    applied_by: str
    tool_version: str

    @property
    def number(self) -> int | None:
        """The number of a versioned script, even if another script's row has it in the column `version`."""
        return self.version if self.version is not None else number_of(self.name)

    @property
    def space(self) -> Space:
        """The space that the script belongs to."""
        return space_of(self.name)


class State(NamedTuple):
    """The state of a database before a run.

    Attributes:
        exists: whether the database exists at all.
        tables: all tables of the schema.
        has_journal: whether custctl has created its journal.
        records: the journal.
        standing: what the database says about itself; None without a journal or without its metadata.
        refusal: why it refuses writes, as an error; None if it accepts them.
    """

    exists: bool
    tables: frozenset[str] = frozenset()
    has_journal: bool = False
    records: tuple[Record, ...] = ()
    standing: Standing | None = None
    refusal: RefusedError | None = None


def read_state(database: Database) -> State:
    """Read a database's state without changing it."""
    if not database.exists():
        return State(exists=False)
    with database.reading() as connection:
        return read_state_on(database, connection)


def read_state_on(database: Database, connection: Connection) -> State:
    """Read a database's state on an open connection.

    Raises:
        MigrationError: another tool's table has the journal's name.
    """
    tables = frozenset(database.table_names(connection))
    if names.JOURNAL not in tables:
        return State(exists=True, tables=tables, refusal=_refusal(database, connection))
    try:
        rows = connection.run("journal.all").all()
    except StatementError as error:
        if database.translate(error).exit_code is not ExitCode.PENDING:
            raise
        raise MigrationError(
            f"the table `{names.JOURNAL}` of {database.location} is not custctl's journal: {error.orig}",
            hint="another tool may have created it: rename it, then adopt the database: see `custctl migrate baseline --help`",
        ) from error
    standing = read_standing(connection, read_only=True) if names.METADATA in tables else None
    return State(
        exists=True,
        tables=tables,
        has_journal=True,
        records=tuple(Record(*row) for row in rows),
        standing=standing,
        refusal=_refusal(database, connection, standing),
    )


def _refusal(database: Database, connection: Connection, standing: Standing | None = None) -> RefusedError | None:
    read_only = database.is_standby(connection) if standing is None else standing.read_only
    return database.refusal_of_writes(connection) if read_only else None


def create(database: Database, connection: Connection) -> None:
    """Create the journal and the metadata table if they are missing, in the caller's transaction."""
    database.create_tables(connection)


def write(connection: Connection, script: Script, values: dict[str, Any], *, is_new: bool = False) -> None:
    """Insert or update a script's row, in the caller's transaction.

    Args:
        values: see `row`.
        is_new: whether the row is known not to exist yet.

    Raises:
        RowWithheldError: the database did not write the row.
    """
    how = "running" if values["state"] == "running" else "ended"
    written = 0 if is_new else _by(connection, f"journal.update_{how}", script, **values).rowcount
    if written == 0 and connection.run(f"journal.insert_{how}", **values).rowcount == 0:
        raise RowWithheldError


NEW = "journal.insert_ended"
"""The statement that inserts a `row` of a finished script."""


def row(
    script: Script,
    *,
    number: int | None,
    state: str,
    applied: int,
    total: int,
    actor: str,
    started_at: str,
    duration_ms: int | None = None,
    error: str | None = None,
) -> dict[str, Any]:
    """Return the row of a script.

    Args:
        number: see `free_number`.
        applied: how many statements took effect.
        total: how many statements the script has.
        started_at: ISO 8601, by the database's clock.
    """
    return {
        "version": number,
        "name": script.name,
        "description": script.description,
        "kind": script.kind,
        "checksum": script.checksum,
        "script": script.text,
        "state": state,
        "statements_applied": applied,
        "statements_total": total,
        "in_flight": None,
        "error": error,
        "started_at": started_at,
        "duration_ms": duration_ms,
        "applied_by": actor,
        "tool_version": __version__,
    }


def progress(connection: Connection, script: Script, *, applied: int, in_flight: int | None = None) -> None:
    """Record the progress of a script that runs outside a transaction."""
    _by(connection, "journal.progress", script, applied=applied, running_one=in_flight)


def accept(connection: Connection, script: Script) -> None:
    """Accept a script's text on disk as what was applied."""
    _by(connection, "journal.accept", script, new_checksum=script.checksum, new_script=script.text)


def fail(database: Database, connection: Connection, record: Record) -> None:
    """Mark an interrupted script as failed, with no statement in flight."""
    connection.run("journal.fail", row=record.id)


def recheck(session: ScriptSession, script: Script) -> Row | None:
    """Begin a script's transaction, and return its current row; None if the lock is lost."""
    kind, key = _key(script)
    return session.begin_and_ask(f"journal.recheck_by_{kind}", script_key=key)


def time_if_unchanged(rechecked: Row, record: Record | None) -> str | None:
    """Return the database's time, or None if a script's row has changed.

    Args:
        record: the row as it was; None if there was none.
    """
    now, found, *held = rechecked
    was = [record.state, record.checksum, record.statements_applied, record.in_flight] if record is not None else None
    return now if (held if found is not None else None) == was else None


def is_done(connection: Connection, script: Script) -> bool:
    """Return whether a script is applied with its current text."""
    row = _by(connection, "journal.state", script).one_or_none()
    return row is not None and row.state in DONE and row.checksum == script.checksum


def _by(connection: Connection, name: str, script: Script, /, **values: Any) -> Result:
    """Run the form of a statement that matches a script's key."""
    form, key = _key(script)
    return connection.run(f"{name}_by_{form}", script_key=key, **values)


def _key(script: Script) -> tuple[str, str | int]:
    """Return the key that identifies a script's row: its number or its name."""
    return ("version" if isinstance(script.key, int) else "name"), script.key


def free_number(connection: Connection, script: Script) -> int | None:
    """Return the number for a script's row, or None if another script's row already has it."""
    if script.version is None or script.key == script.version:
        return script.version
    holder = connection.run("journal.holder", script_key=script.version).scalar()
    return script.version if holder in (None, script.name) else None
