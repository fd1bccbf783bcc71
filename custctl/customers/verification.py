"""Verifying the audit: each chain by itself, and the whole against a checkpoint kept elsewhere.

A chain shows changes and removals inside it. Only a checkpoint shows that its end was cut off, or that it was rewritten
from the beginning: it has the ids and a digest of every block of rows at an earlier time.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import sqlalchemy as sa

from custctl.customers import audit, erasure
from custctl.customers.files import open_named
from custctl.schema.standing import check_schema, read_standing
from custctl.schema.tables import customer_audit
from custctl.support.errors import InvalidError, RefusedError, UsageError

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection

_BLOCK = 1000  # ids per block of a checkpoint
_STREAM = 1000  # rows per fetch
_ERASING, _REPLACING = ("delete", erasure.ACTION), "pseudonymise"
_RANGES = re.compile(r"[0-9]{1,18}(?:-[0-9]{1,18})?(?:,[0-9]{1,18}(?:-[0-9]{1,18})?)*")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as it was written.

    Attributes:
        kind: changed, removed, added, erased or truncated.
        customer_id: whose chain; None if the checkpoint found the fault, or for the database's own chain.
        audit_id: the row, or None.
    """

    kind: str
    customer_id: int | None
    audit_id: int | None
    message: str


@dataclass(slots=True)
class Report:
    """The result of a verification.

    Attributes:
        checkpoint: for the next verification; keep it outside of the database.
    """

    rows: int = 0
    chains: int = 0
    faults: list[Fault] = field(default_factory=list)
    checkpoint: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the report by name."""
        return {
            "ok": not self.faults,
            "rows": self.rows,
            "chains": self.chains,
            "faults": [asdict(fault) for fault in self.faults],
            "checkpoint": self.checkpoint,
        }


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint: the output of `audit verify -o json`, or only its `checkpoint`.

    Raises:
        UsageError: the file cannot be read.
        UnavailableError: it is a pipe, and nothing writes to it.
        InvalidError: it is not a checkpoint.
    """
    stream, begun = open_named(path)
    try:
        with stream:
            held = json.loads(begun + stream.read())
    except OSError as error:
        raise UsageError(f"`{path}` cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError):
        raise InvalidError(f"`{path}` is not a checkpoint: it is not JSON") from None
    return check_checkpoint(held.get("checkpoint", held) if isinstance(held, dict) else None, f"`{path}`")


def check_checkpoint(found: Any, where: str = "this") -> dict[str, Any]:
    """Return a value if it is a checkpoint.

    Args:
        where: its source, for the message.

    Raises:
        InvalidError: it is not a checkpoint.
    """
    if not _is_checkpoint(found):
        raise InvalidError(f"{where} is not a checkpoint", hint="make one with `custctl audit verify -o json`")
    return found


def _is_checkpoint(found: Any) -> TypeGuard[dict[str, Any]]:
    return (
        isinstance(found, dict)
        and isinstance(found.get("blocks"), list)
        and isinstance(found.get("last_id"), int)
        and all(map(_is_block, found["blocks"]))
        and found["last_id"] == max(map(_last, found["blocks"]), default=0)
    )


def _is_block(block: Any) -> bool:
    if not (
        isinstance(block, dict)
        and type(block.get("first")) is int
        and isinstance(block.get("ids"), str)
        and isinstance(block.get("digest"), str)
        and _RANGES.fullmatch(block["ids"])
    ):
        return False
    numbers = [int(number) for number in re.split("[,-]", block["ids"])]
    return block["first"] <= numbers[0] and numbers[-1] < block["first"] + _BLOCK and numbers == sorted(numbers)


def verify(database: Database, checkpoint: Mapping[str, Any] | None = None) -> Report:
    """Verify the audit of a database in one consistent state.

    Raises:
        RefusedError: the checkpoint belongs to another database.
    """
    report = Report()
    with database.reading(snapshot=True) as connection:
        standing = read_standing(connection)
        check_schema(standing)
        if checkpoint is not None and checkpoint.get("database_id") not in (None, standing.database_id):
            raise RefusedError(
                "the checkpoint belongs to another database", hint="verify the database that it was made from"
            )
        _verify_chains(database, connection, report)
        blocks = list(_blocks(database, connection))
        taken_at = connection.run("clock.now").scalar()
        report.checkpoint = {
            "database_id": standing.database_id,
            "epoch": standing.epoch,
            "environment": standing.environment,
            "taken_at": taken_at,
            "rows": report.rows,
            "last_id": max((_last(block) for block in blocks), default=0),
            "blocks": blocks,
        }
        if checkpoint is not None:
            _compare(database, connection, checkpoint, blocks, report)
    return report


def _verify_chains(database: Database, connection: Connection, report: Report) -> None:
    columns = list(customer_audit.c)
    names = [column.name for column in columns]
    query = sa.select(*columns).order_by(customer_audit.c.customer_id, customer_audit.c.sequence, customer_audit.c.id)
    told = sa.select(sa.func.min(customer_audit.c.id)).where(customer_audit.c.database_login.is_not(None))
    first_login = connection.execute(told).scalar() if database.has_logins else None
    chain: int | None = None
    expected, previous = 1, ""
    nulled: list[int] = []
    replaced = 0  # pseudonyms erased the values up to this id; known in time: the database's own chain comes first
    for block in connection.stream(query, _STREAM):
        for values in block:
            row = dict(zip(names, values, strict=True))
            report.rows += 1
            if row["customer_id"] != chain:
                _not_erased(report, chain, nulled)
                chain, expected, previous, nulled = row["customer_id"], 1, "", []
                report.chains += 1
            # An attacker may leave a value of any type on an engine that accepts it.
            sequence = row["sequence"] if type(row["sequence"]) is int else expected
            if sequence > expected:
                gap = f"entry {expected}" if sequence == expected + 1 else f"entries {expected} to {sequence - 1}"
                verb = "is" if sequence == expected + 1 else "are"
                _fault(report, "removed", row, f"{gap} of the chain {verb} missing")
            elif sequence < expected or row["previous_hash"] != previous:
                _fault(report, "changed", row, "the entry does not follow the one before it")
            if not _is_as_written(row):
                _fault(report, "changed", row, "the entry differs from what was written")
            if row["database_login"] is None and first_login is not None and row["id"] > first_login:
                _fault(report, "changed", row, "the entry does not name the login that wrote it")
            if row["held_values"] is not None and row["values_hash"] != audit.values_hash(
                row["salt"] or "", row["held_values"]
            ):
                _fault(report, "changed", row, "the values differ from those that were written")
            if row["held_values"] is None and row["values_hash"] and row["id"] > replaced:
                nulled.append(row["id"])
            if row["action"] in _ERASING:
                nulled = []
            if row["action"] == _REPLACING and row["customer_id"] == audit.DATABASE:
                replaced, nulled = row["id"], []
            expected, previous = sequence + 1, row["row_hash"]
    _not_erased(report, chain, nulled)


def _is_as_written(row: Mapping[str, Any]) -> bool:
    try:
        return audit.is_as_written(row)
    except (TypeError, ValueError):
        return False


def _not_erased(report: Report, chain: int | None, nulled: list[int]) -> None:
    """Report missing values unless the customer was deleted, or replaced by a pseudonym, afterwards."""
    for audit_id in nulled:
        report.faults.append(
            Fault("erased", chain or None, audit_id, "the values are missing, but the customer was not deleted")
        )


def _fault(report: Report, kind: str, row: Mapping[str, Any], message: str) -> None:
    report.faults.append(Fault(kind, row["customer_id"] or None, row["id"], message))


# -- checkpoints -----------------------------------------------------------------------------------


def _blocks(database: Database, connection: Connection) -> Iterator[dict[str, Any]]:
    """Yield a digest for every thousand ids: the ids that exist, and the hash of their rows."""
    query = sa.select(customer_audit.c.id, customer_audit.c.row_hash).order_by(customer_audit.c.id)
    number: int | None = None
    ids: list[int] = []
    digest = hashlib.sha256()
    for rows in connection.stream(query, _STREAM):
        for audit_id, row_hash in rows:
            if (audit_id - 1) // _BLOCK != number:
                if ids:
                    yield _block(number or 0, ids, digest)
                number, ids, digest = (audit_id - 1) // _BLOCK, [], hashlib.sha256()
            ids.append(audit_id)
            digest.update(f"{audit_id}:{row_hash}\n".encode())
    if ids:
        yield _block(number or 0, ids, digest)


def _block(number: int, ids: list[int], digest: Any) -> dict[str, Any]:
    return {"first": number * _BLOCK + 1, "ids": audit.id_ranges(ids), "digest": digest.hexdigest()}


def _last(block: Mapping[str, Any]) -> int:
    return int(str(block["ids"]).rpartition(",")[2].rpartition("-")[2])


def _compare(
    database: Database,
    connection: Connection,
    checkpoint: Mapping[str, Any],
    blocks: list[dict[str, Any]],
    report: Report,
) -> None:
    now = {block["first"]: block for block in blocks}
    last = int(checkpoint["last_id"])
    for block in checkpoint["blocks"]:
        found = now.get(block["first"])
        if found is not None and found["ids"] == block["ids"] and found["digest"] == block["digest"]:
            continue
        before, after = _ids(block["ids"]), _ids(found["ids"]) if found else set()
        gone = before - after
        come = {number for number in after - before if number <= last} if database.ids_follow_commits else set()
        if gone:
            message = f"entries {audit.id_ranges(gone)} of the checkpoint are missing"
            report.faults.append(Fault("truncated", None, None, message))
        if come:
            message = f"entries {audit.id_ranges(come)} were not there at the checkpoint"
            report.faults.append(Fault("added", None, None, message))
        if not gone and not come and _digest_of(connection, int(block["first"]), before) != block["digest"]:
            message = f"an entry among {block['ids']} is not what it was at the checkpoint"
            report.faults.append(Fault("changed", None, None, message))


def _digest_of(connection: Connection, first: int, ids: set[int]) -> str:
    """Return the digest of some rows of a block: others may have been added since."""
    query = sa.select(customer_audit.c.id, customer_audit.c.row_hash).order_by(customer_audit.c.id)
    query = query.where(customer_audit.c.id >= first, customer_audit.c.id < first + _BLOCK)
    digest = hashlib.sha256()
    for audit_id, row_hash in connection.execute(query):
        if audit_id in ids:
            digest.update(f"{audit_id}:{row_hash}\n".encode())
    return digest.hexdigest()


def _ids(ranges: str) -> set[int]:
    found: set[int] = set()
    for part in filter(None, ranges.split(",")):
        low, _, high = part.partition("-")
        found.update(range(int(low), int(high or low) + 1))
    return found
