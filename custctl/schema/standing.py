"""What a database says about itself: its environment, its epoch, its schema's version.

The stamp is stored in the database, so that a profile that points to the wrong server is refused by the server's own
word.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from custctl.schema import names
from custctl.schema.own import RECORD
from custctl.support.errors import PendingError, RefusedError, StatementError


class Connection(Protocol):
    """A connection on which the program's own statements run; `engines.connection.Connection` is one."""

    def run(self, name: str, /, **values: Any) -> Any:
        """Run a statement by its name."""


class Guarded(Protocol):
    """A database that can refuse writes, as far as this module needs it; `engines.base.Database` is one."""

    location: str

    def table_names(self, connection: Any) -> set[str]:
        """Return the names of all tables in the profile's schema."""

    def check_history(self, database_id: str | None, epoch: int) -> None:
        """Refuse to write to a former primary."""

    def recover(self, connection: Any) -> None:
        """Roll back the open transaction if an error has made it unusable."""

    def refusal_of_writes(self, connection: Any) -> RefusedError:
        """Return why it refuses writes, as an error."""


REQUIRED_SCHEMA = 8
"""The newest product script that this program's own statements need."""

_ENVIRONMENT, _EPOCH, _DATABASE_ID, _FORK = "environment", "epoch", "database_id", "fork"
_READ_ONLY = "read_only"
_PSEUDONYMS = "pseudonyms"
_UNDO = "baseline_undo"
_DEFERRED = "deferred_indexes"
_SYNCHRONOUS, _SYNCHRONOUS_AT = "synchronous", "synchronous_at"


class Standing(NamedTuple):
    """What a database says about itself.

    Attributes:
        environment: the stamp, or None if there is none.
        epoch: counts the forks of the database's history; a failover or a restamp raises it.
        database_id: a UUID made with the stamp; a restamped copy gets a new one.
        schema_version: the newest applied product script, or None.
        read_only: whether the database refuses writes, if the caller asked.
        deferred: the indexes that are left out until a load ends, as `engines.deferral` records them; or None.
        own_fields: the record of own fields, or None if there are none.
    """

    environment: str | None
    epoch: int
    database_id: str | None
    schema_version: int | None
    read_only: bool = False
    deferred: str | None = None
    own_fields: str | None = None


def read_standing(connection: Connection, *, read_only: bool = False) -> Standing:
    """Read the stamp and the schema's version in one query.

    Args:
        read_only: whether to find out too if the database refuses writes.

    Raises:
        StatementError: the tables do not exist.
    """
    held = dict(connection.run("metadata.standing_read_only" if read_only else "metadata.standing"))
    newest_version = held.get("schema_version")
    return Standing(
        environment=held.get(_ENVIRONMENT),
        epoch=parse_epoch(held.get(_EPOCH)),
        database_id=held.get(_DATABASE_ID),
        schema_version=int(newest_version) if newest_version is not None else None,
        read_only=held.get(_READ_ONLY) == "yes",
        deferred=held.get(_DEFERRED),
        own_fields=held.get(RECORD),
    )


def parse_epoch(text: str | None) -> int:
    """Return the epoch as a number; 1 if there is none yet.

    Raises:
        RefusedError: the text is not an epoch.
    """
    if text is None:
        return 1
    if not (text.isascii() and text.isdigit()):
        raise RefusedError(
            "the database's epoch is damaged: something else wrote to `custctl_metadata`",
            hint="restore it from a backup",
        )
    return int(text)


def check_schema(standing: Standing) -> None:
    """Refuse a schema that is too old for this program's statements.

    Raises:
        PendingError: migrations are pending.
    """
    if standing.schema_version is None or standing.schema_version < REQUIRED_SCHEMA:
        found = "no script is applied" if standing.schema_version is None else f"it is at {standing.schema_version}"
        raise PendingError(
            f"the schema is too old: {found}, but {REQUIRED_SCHEMA} is required", hint="run `custctl migrate`"
        )


def check_environment(standing: Standing, environment: str, location: str) -> None:
    """Refuse to write if the database's stamp is not the profile's environment.

    Raises:
        RefusedError: another stamp, or none.
    """
    if standing.environment is None:
        raise RefusedError(
            f"{location} has a journal but no environment stamp",
            hint=f"check what it contains, then run `custctl migrate repair --environment {environment}`",
        )
    if standing.environment != environment:
        raise RefusedError(
            f"{location} is stamped `{standing.environment}`, but the profile is for `{environment}`",
            hint=f"use a profile for `{standing.environment}`; after a restore into another environment, run"
            f" `custctl migrate repair --environment {environment}`",
            details={"stamp": standing.environment, "profile": environment},
        )


def stamp(connection: Connection, environment: str, branch: str | None) -> None:
    """Write the environment to a database, and an epoch and an id if it has none yet.

    Args:
        branch: the branch of the history that the epoch counts; see `Database.branch`.
    """
    held = dict(connection.run("metadata.all"))
    if _ENVIRONMENT in held:
        connection.run("metadata.update", key=_ENVIRONMENT, held=environment)
    wanted = {_ENVIRONMENT: environment, _EPOCH: "1", _DATABASE_ID: str(uuid.uuid4())}
    if branch is not None and _EPOCH not in held:
        wanted[_FORK] = branch
    for name, value in wanted.items():
        if name not in held:
            connection.run("metadata.insert", key=name, value=value)


class Restamp(NamedTuple):
    """The values that a restamp replaced, and the new ones."""

    database_id: tuple[str | None, str]
    epoch: tuple[int, int]


def restamp(connection: Connection, environment: str, branch: str | None) -> Restamp:
    """Write another environment to a copied database, with a new id and the next epoch.

    Neither a checkpoint of the original database nor a version that a client has read there is then accepted for the
    copy.

    Args:
        branch: as for `stamp`.
    """
    held = dict(connection.run("metadata.all"))
    epoch = int(held.get(_EPOCH) or 1)
    done = Restamp((held.get(_DATABASE_ID), str(uuid.uuid4())), (epoch, epoch + 1))
    values = {_ENVIRONMENT: environment, _EPOCH: str(done.epoch[1]), _DATABASE_ID: done.database_id[1]}
    if branch is not None:
        values[_FORK] = branch
    _put(connection, values)
    return done


def require_writable(database: Guarded, connection: Connection, environment: str) -> Standing:
    """Return the database's standing, after checking that this profile may write to it.

    Raises:
        PendingError: no schema, or one that is too old.
        RefusedError: a standby, or a stamp that is missing or another environment's.
    """
    try:
        standing = read_standing(connection, read_only=True)
    except StatementError:
        database.recover(connection)
        there = database.table_names(connection)
        if names.JOURNAL not in there:
            raise PendingError(f"{database.location} has no custctl schema", hint="run `custctl migrate`") from None
        if names.METADATA not in there:
            check_environment(Standing(None, 1, None, None), environment, database.location)
        raise
    check_environment(standing, environment, database.location)
    check_schema(standing)
    database.check_history(standing.database_id, standing.epoch)
    if standing.read_only:
        raise database.refusal_of_writes(connection)
    return standing


def count_fork(connection: Connection, fork: str, at_least: int) -> tuple[int, int]:
    """Raise the epoch if the history is on another branch than the one last counted.

    Args:
        fork: the branch, as the engine names it.
        at_least: the minimum for a new epoch.

    Returns:
        The epoch before and after; the same if the branch was already counted.
    """
    held = dict(connection.run("metadata.all"))
    epoch = parse_epoch(held.get(_EPOCH))
    if held.get(_FORK) == fork:
        return epoch, epoch
    raised = max(epoch + 1, at_least)
    _put(connection, {_EPOCH: str(raised), _FORK: fork})
    return epoch, raised


def record_own_fields(connection: Connection, record: str | None) -> bool:
    """Record the own fields; return whether the record has changed."""
    held: str | None = dict(connection.run("metadata.all")).get(RECORD)
    if held == record:
        return False
    if record is None:
        connection.run("metadata.delete", key=RECORD)
    else:
        _put(connection, {RECORD: record})
    return True


def record_pseudonyms(connection: Connection, state: str | None) -> None:
    """Record the progress of replacing personal data; None when it has ended."""
    if state is None:
        connection.run("metadata.delete", key=_PSEUDONYMS)
    else:
        _put(connection, {_PSEUDONYMS: state})


def read_pseudonyms(connection: Connection) -> str | None:
    """Return the progress of replacing personal data; None if it has not begun, or has ended."""
    found: str | None = dict(connection.run("metadata.all")).get(_PSEUDONYMS)
    return found


def record_undo(connection: Connection, statements: Sequence[str]) -> None:
    """Record the statements that restore what was there before the adoption, in order."""
    _put(connection, {_UNDO: json.dumps(statements, ensure_ascii=False)})


def read_undo(connection: Connection) -> list[str]:
    """Return the statements that restore what was there before the adoption, in order."""
    found: list[str] = json.loads(dict(connection.run("metadata.all")).get(_UNDO, "[]"))
    return found


def record_synchronous(connection: Connection, standbys: str, at: str) -> None:
    """Record which standbys the primary's commits wait for, in the engine's own words, and the time of that."""
    _put(connection, {_SYNCHRONOUS: standbys, _SYNCHRONOUS_AT: at})


def record_deferred(connection: Connection, indexes: str | None) -> None:
    """Record which indexes are left out; None if there are none any more."""
    connection.run("metadata.delete", key=_DEFERRED)
    if indexes is not None:
        connection.run("metadata.insert", key=_DEFERRED, value=indexes)


def _put(connection: Connection, values: Mapping[str, str]) -> None:
    for name, value in values.items():
        connection.run("metadata.delete", key=name)
        connection.run("metadata.insert", key=name, value=value)
