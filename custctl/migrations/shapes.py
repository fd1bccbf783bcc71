"""The shape that applied scripts make: the product knows the effect of its own scripts; that of all others is recorded.

The effect of the company's scripts is the difference between the shape before the first of a run and after the last. It
is recorded in the last script's transaction. Until then, the first script's transaction keeps the shape before it in
`custctl_metadata`: neither a killed run nor earlier damage can make the record wrong.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from custctl.engines.shaping import Fix
from custctl.migrations.journal import DONE, Record
from custctl.schema.shape import Delta, Difference, Shape, compare
from custctl.support.errors import RefusedError

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection
    from custctl.engines.scripting import ScriptSession
    from custctl.engines.shaping import Product
    from custctl.migrations.scripts import Script

_RECORD, _BEFORE = "shape", "shape_before"
_OFTEN = 3.0  # seconds after which a run records, so that a kill leaves little to the next run


class Unrecorded(NamedTuple):
    """The start of scripts whose changes are not recorded yet.

    Attributes:
        shape: the shape before the first of them.
        since: when the first began, by the database's clock.
    """

    shape: Shape
    since: str

    def scripts(self, records: Iterable[Record]) -> frozenset[str]:
        """Return the names of the scripts applied since then."""
        return frozenset(each.name for each in records if each.state in DONE and each.started_at >= self.since)


class Recorded(NamedTuple):
    """The changes of scripts whose effect the product does not know.

    Attributes:
        delta: all changes together.
        scripts: the scripts' names.
        unrecorded: what a run that is active, or was killed, has yet to record; None if nothing.
    """

    delta: Delta = Delta()
    scripts: frozenset[str] = frozenset()
    unrecorded: Unrecorded | None = None

    @classmethod
    def read(cls, connection: Connection) -> Recorded:
        """Read the record from the metadata.

        Raises:
            RefusedError: the record is damaged.
        """
        held: dict[str, str] = dict(list(connection.run("metadata.all")))
        try:
            recorded = json.loads(held.get(_RECORD, "{}"))
            delta = Delta.of_document(recorded) if recorded else Delta()
            before = json.loads(held.get(_BEFORE, "{}"))
            unrecorded = Unrecorded(Delta.of_document(before).made, before["since"]) if before else None
            return cls(delta, frozenset(recorded.get("scripts", ())), unrecorded)
        except (ValueError, KeyError, TypeError) as error:
            raise RefusedError(
                "the recorded shape is damaged: something else wrote to `custctl_metadata`",
                hint="restore it from a backup",
            ) from error

    def write(self, connection: Connection) -> None:
        """Write the record to the metadata, in the caller's transaction."""
        document = {**self.delta.as_document(), "scripts": sorted(self.scripts)}
        connection.run("metadata.delete", key=_RECORD)
        connection.run("metadata.insert", key=_RECORD, value=json.dumps(document, ensure_ascii=False))

    def including(self, before: Shape, after: Shape, scripts: Iterable[str]) -> Recorded:
        """Return the record plus what scripts have changed in a shape."""
        change = Delta.between(before, after)
        return Recorded(self.delta.then(change), self.scripts | frozenset(scripts))


class Expected(NamedTuple):
    """The shape that a database should have.

    Attributes:
        unknown: the applied scripts whose effect is not known.
    """

    shape: Shape
    unknown: tuple[str, ...] = ()


class Comparison(NamedTuple):
    """How a database differs from what its scripts make.

    Attributes:
        fixes: the fix for each difference, in the same order.
        unknown: as in `Expected`.
        refusal: why nothing could be compared; None if it was.
    """

    differences: tuple[Difference, ...] = ()
    fixes: tuple[Fix, ...] = ()
    unknown: tuple[str, ...] = ()
    refusal: str | None = None

    def documents(self) -> list[dict[str, Any]]:
        """Return the differences for machine-readable output."""
        return [
            {
                "kind": each.key.kind,
                "table": each.key.table or None,
                "name": each.key.name or None,
                "fault": each.fault,
                "message": each.sentence,
                "statements": list(fix.statements),
            }
            for each, fix in zip(self.differences, self.fixes, strict=True)
        ]


def expected_by(product: Product, scripts: Iterable[Script | Record], recorded: Recorded) -> Expected:
    """Return the shape that scripts make, applied in this order."""
    shape: Shape = {}
    unknown = []
    for script in scripts:
        delta = product.by_checksum.get(script.checksum)
        if delta is None and script.name not in recorded.scripts:
            # For example one of our scripts with a changed comment, whose checksum was accepted.
            delta = product.by_name.get(script.name)
            if delta is None:
                unknown.append(script.name)
        if delta is not None:
            shape = delta.on(shape)
    return Expected(recorded.delta.on(shape), tuple(unknown))


def compared(database: Database, connection: Connection, records: Sequence[Record]) -> Comparison:
    """Compare a database with what its journal says it should have."""
    done = [record for record in records if record.state in DONE and record.kind != "seed"]
    if not done:
        return Comparison()
    recorded = Recorded.read(connection)
    if (left := recorded.unrecorded) is not None:
        recorded = recorded.including(left.shape, database.read_shape(connection), left.scripts(done))
    return compare_with(database, connection, expected_by(database.product(), done, recorded))


def compare_with(database: Database, connection: Connection, expected: Expected) -> Comparison:
    """Compare a database with its expected shape."""
    if not database.sees_shape(connection):
        return Comparison(unknown=expected.unknown, refusal="this login may not see all of the schema")
    found = database.read_shape(connection)
    differences = compare(expected.shape, found)
    fixes = database.fixes(connection, differences, expected.shape, found) if differences else []
    return Comparison(tuple(differences), tuple(fixes), expected.unknown)


# -- recording -------------------------------------------------------------------------------------


class Recorder:
    """Records the changes of a run's scripts, which the caller runs one after the other.

    Reading the shape costs as much as a small script. It is read before the first script with an unknown effect, and
    again to record: with the last script, before a product script, and every few seconds.
    """

    def __init__(self, database: Database, session: ScriptSession) -> None:
        self._database = database
        self._session = session
        self._product = database.product()
        self._recorded: Recorded | None = None
        self._before: Shape | None = None
        self._is_kept = False
        self._scripts: set[str] = set()
        self._at = time.monotonic()

    def before(self, script: Script, started_at: str) -> None:
        """Note the shape before a script, in its first transaction.

        Args:
            started_at: when the script began, by the database's clock.
        """
        if script.kind == "seed":
            return
        self._read()
        if script.checksum in self._product.by_checksum:
            self._record()
            self._before = None
            return
        if self._before is None:
            self._before, self._at = self._database.read_shape(self._session.connection), time.monotonic()
        if not script.directives.transaction:
            self._keep(started_at)

    def after(self, script: Script, started_at: str, *, is_last: bool) -> None:
        """Record what a script has changed, or defer that to a later one, in the script's last transaction.

        Args:
            started_at: as for `before`.
            is_last: whether this is the run's last script.
        """
        if script.kind == "seed":
            return
        recorded = self._read()
        made = self._product.by_checksum.get(script.checksum)
        if made is None:
            self._scripts.add(script.name)
            if is_last or time.monotonic() - self._at > _OFTEN:
                self._record()
            else:
                self._keep(started_at)
            return
        # Its effect is what the product knows, whatever another script did to the same things before.
        kept = recorded.delta.without(made.made)
        if kept != recorded.delta or script.name in recorded.scripts:
            self._recorded = Recorded(kept, recorded.scripts - {script.name})
            self._session.become_own()
            self._recorded.write(self._session.connection)

    def settle(self) -> None:
        """Record what is not recorded yet, in the caller's transaction."""
        self._read()
        self._record()

    def _read(self) -> Recorded:
        """Return the record, including what a killed run has left to record."""
        if self._recorded is None:
            self._recorded = Recorded.read(self._session.connection)
            left = self._recorded.unrecorded
            if left is not None:
                self._before, self._is_kept = left.shape, True
                self._scripts |= left.scripts(Record(*row) for row in self._session.connection.run("journal.all"))
        return self._recorded

    def _keep(self, started_at: str) -> None:
        if self._is_kept or self._before is None:
            return
        held = {**Delta(self._before).as_document(), "since": started_at}
        self._session.become_own()
        self._session.connection.run("metadata.insert", key=_BEFORE, value=json.dumps(held, ensure_ascii=False))
        self._is_kept = True

    def _record(self) -> None:
        if self._before is None or not (self._scripts or self._is_kept):
            return
        self._session.become_own()
        connection = self._session.connection
        found = self._database.read_shape(connection)
        self._recorded = self._read().including(self._before, found, self._scripts)
        self._recorded.write(connection)
        if self._is_kept:
            connection.run("metadata.delete", key=_BEFORE)
        self._before, self._is_kept, self._at = found, False, time.monotonic()
        self._scripts.clear()
