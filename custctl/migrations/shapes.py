"""The shape that the applied scripts make: what is known of the product's own, and what was recorded of all others.

What a script of the company's changes is read before and after it, and kept in `custctl_metadata` in the script's own
transaction: neither a killed run nor damage that was there before can make it wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from custctl.engines.shaping import Mend
from custctl.migrations.journal import DONE, Record
from custctl.schema.shape import Delta, Difference, Shape, compare
from custctl.support.errors import RefusedError

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection
    from custctl.engines.shaping import Product
    from custctl.migrations.scripts import Script

_RECORD, _BEFORE = "shape", "shape_before"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the scripts have changed whose effect the product does not know by itself.

    Attributes:
        delta: all of it together.
        scripts: their names.
    """

    delta: Delta = field(default_factory=Delta)
    scripts: frozenset[str] = frozenset()

    @classmethod
    def read(cls, connection: Connection) -> Recorded:
        """Read it from the metadata.

        Raises:
            RefusedError: what stands there is none.
        """
        text = _metadata(connection).get(_RECORD)
        if text is None:
            return cls()
        try:
            held = json.loads(text)
            return cls(Delta.of_document(held), frozenset(held["scripts"]))
        except (ValueError, KeyError, TypeError) as error:
            raise RefusedError(
                "the recorded shape is damaged: something else wrote to `custctl_metadata`",
                hint="restore it from a backup",
            ) from error

    def write(self, connection: Connection) -> None:
        """Write it into the metadata, in the caller's transaction."""
        document = {**self.delta.as_document(), "scripts": sorted(self.scripts)}
        _put(connection, _RECORD, json.dumps(document, ensure_ascii=False))


@dataclass(frozen=True, slots=True)
class Expected:
    """What a database should have.

    Attributes:
        unknown: the applied scripts of which nobody knows what they make.
    """

    shape: Shape
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """What of a database is not as its scripts make it.

    Attributes:
        mends: what mends each difference, in their order.
        unknown: as `Expected` has it.
        refusal: why nothing could be compared; None where it was.
    """

    differences: tuple[Difference, ...] = ()
    mends: tuple[Mend, ...] = ()
    unknown: tuple[str, ...] = ()
    refusal: str | None = None

    def documents(self) -> list[dict[str, Any]]:
        """Return the differences for a program."""
        return [
            {
                "kind": each.key.kind,
                "table": each.key.table or None,
                "name": each.key.name or None,
                "fault": each.fault,
                "message": each.sentence,
                "statements": list(mend.statements),
            }
            for each, mend in zip(self.differences, self.mends, strict=True)
        ]


def expected_by(product: Product, scripts: Iterable[Script | Record], recorded: Recorded) -> Expected:
    """Return what scripts make that are applied in this order."""
    shape: Shape = {}
    unknown = []
    for script in scripts:
        delta = product.by_checksum.get(script.checksum)
        if delta is None and script.name not in recorded.scripts:
            # A script of ours with a changed comment, say, whose checksum was accepted.
            delta = product.by_name.get(script.name)
            if delta is None:
                unknown.append(script.name)
        if delta is not None:
            shape = delta.on(shape)
    return Expected(recorded.delta.on(shape), tuple(unknown))


def compared(database: Database, connection: Connection, records: Sequence[Record]) -> Comparison:
    """Compare a database with what its journal says that it has."""
    done = [record for record in records if record.state in DONE and record.kind != "seed"]
    if not done:
        return Comparison()
    return compare_with(database, connection, expected_by(database.product(), done, Recorded.read(connection)))


def compare_with(database: Database, connection: Connection, expected: Expected) -> Comparison:
    """Compare a database with what it should have."""
    if not database.sees_shape(connection):
        return Comparison(unknown=expected.unknown, refusal="this login may not see all of the schema")
    found = database.read_shape(connection)
    differences = compare(expected.shape, found)
    mends = database.mends(differences, expected.shape, found) if differences else []
    return Comparison(tuple(differences), tuple(mends), expected.unknown)


# -- recording -------------------------------------------------------------------------------------


def before(database: Database, connection: Connection, script: Script) -> Shape | None:
    """Return the shape before a script, in its transaction; None where its effect is known already."""
    return database.read_shape(connection) if _is_recorded(database, script) else None


def keep_before(database: Database, connection: Connection, script: Script) -> None:
    """Keep the shape before a script that runs in several transactions, unless it is kept already."""
    if not _is_recorded(database, script):
        return
    name = _name_of(script)
    if name not in _metadata(connection):
        held = Delta(database.read_shape(connection))
        connection.run("metadata.insert", key=name, value=json.dumps(held.as_document(), ensure_ascii=False))


def record(database: Database, connection: Connection, script: Script, shape: Shape | None) -> None:
    """Record what a script has changed, in its last transaction.

    Args:
        shape: what `before` returned; None where it was kept, or need not be.
    """
    if script.kind == "seed":
        return
    recorded = Recorded.read(connection)
    if not _is_recorded(database, script):
        # What it makes is as it makes it, whatever another one has made of it before.
        delta = database.product().by_checksum[script.checksum]
        kept = recorded.delta.without(delta.made)
        if kept != recorded.delta or script.name in recorded.scripts:
            Recorded(kept, recorded.scripts - {script.name}).write(connection)
        return
    if shape is None:
        name = _name_of(script)
        text = _metadata(connection).get(name)
        connection.run("metadata.delete", key=name)
        shape = Delta.of_document(json.loads(text)).made if text is not None else database.read_shape(connection)
    change = Delta.between(shape, database.read_shape(connection))
    Recorded(recorded.delta.then(change), recorded.scripts | {script.name}).write(connection)


def _is_recorded(database: Database, script: Script) -> bool:
    return script.kind != "seed" and script.checksum not in database.product().by_checksum


def _name_of(script: Script) -> str:
    return f"{_BEFORE}/{script.version if script.version is not None else script.checksum}"


def _metadata(connection: Connection) -> dict[str, str]:
    return dict(list(connection.run("metadata.all")))


def _put(connection: Connection, name: str, value: str) -> None:
    connection.run("metadata.delete", key=name)
    connection.run("metadata.insert", key=name, value=value)
