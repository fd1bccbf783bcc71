"""The audit: one row per write, chained by hash per customer.

Each row's hash covers the previous row, so that no change or removal in a chain goes unnoticed. The values are in a
column of their own, and the chain contains only their salted hash: they can be erased together with the salt, and the
chain still verifies.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from custctl.support import exact_json
from custctl.support.errors import InvalidError

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection
    from custctl.engines.results import Row

_NAMES = 400
"""Maximum length of all field names of one entry together."""

_MORE = "…"

DATABASE = 0
"""The `customer_id` of rows about the database itself."""

HASHED = (
    "operation_id",
    "part",
    "customer_id",
    "sequence",
    "action",
    "actor",
    "happened_at",
    "version",
    "fields",
    "first_customer_id",
    "last_customer_id",
    "detail",
    "values_hash",
    "previous_hash",
)
"""The columns that `row_hash` covers, in this order, in rows without a database login."""

WITH_LOGIN = (*HASHED, "database_login")
"""The columns that it covers since the database records whose session wrote."""


class Entry(NamedTuple):
    """A write to record.

    Attributes:
        operation_id: the UUID of the user's request.
        part: 0, or the number of an import's batch from 1.
        customer_id: the customer, or `DATABASE`.
        action: what was done: add, update, delete, set-password, import, seed, …
        actor: who did it, according to the client; the database adds the login.
        version: the row's version after the write.
        fields: the names of the written fields.
        values: what can be erased: `before` and `after`; None if there are no values.
        customers: the ids that a batch changed.
        detail: facts without personal data.
    """

    operation_id: str
    action: str
    actor: str
    customer_id: int = DATABASE
    part: int = 0
    version: str | None = None
    fields: Sequence[str] = ()
    values: Mapping[str, Any] | None = None
    customers: Sequence[int] = ()
    detail: Mapping[str, Any] = {}


def canonical(value: object) -> str:
    """Return the canonical JSON text of a value, which is hashed and stored."""
    return exact_json.dumps(value, separators=(",", ":"), sort_keys=True)


def row_hash(row: Mapping[str, Any]) -> str:
    """Return the hash of an audit row: SHA-256 over the JSON array of the columns in its chain."""
    return _hash_of(row, HASHED if row["database_login"] is None else WITH_LOGIN)


def is_as_written(row: Mapping[str, Any]) -> bool:
    """Return whether a row's hash is correct.

    A client of a release without the login column leaves it to the database: it is then outside of the chain.

    Raises:
        TypeError, ValueError: the row holds something that custctl never writes.
    """
    return row["row_hash"] in (row_hash(row), _hash_of(row, HASHED))


def _hash_of(row: Mapping[str, Any], columns: Sequence[str]) -> str:
    return _sha256(canonical([row[name] for name in columns]))


def _sha256(text: str) -> str:
    # Reading a customer does not need it, and the import takes longer than the query.
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()


def values_hash(salt: str, held_values: str) -> str:
    """Return the salted hash that represents the values in the chain."""
    return _sha256(f"{salt}\n{held_values}")


def append(database: Database, connection: Connection, entry: Entry) -> None:
    """Append an entry to its customer's chain, in the caller's transaction.

    If two transactions find the same end at once, the second is refused and retried. The database's own chain is locked
    instead, because its writes take long.

    Raises:
        StatementError: the operation is already recorded.
    """
    if entry.customer_id == DATABASE:
        database.lock(connection, "audit")
    now, login, sequence, previous = connection.run("audit.ends", number=entry.customer_id).one()
    salt = os.urandom(16).hex() if entry.values is not None else None
    held = canonical(entry.values) if entry.values is not None else None
    row: dict[str, Any] = {
        "operation_id": entry.operation_id,
        "part": entry.part,
        "customer_id": entry.customer_id,
        "sequence": (sequence or 0) + 1,
        "action": entry.action,
        "actor": entry.actor,
        "happened_at": now,
        "version": entry.version,
        "fields": _names(entry.fields),
        "first_customer_id": min(entry.customers) if entry.customers else None,
        "last_customer_id": max(entry.customers) if entry.customers else None,
        "detail": canonical({**entry.detail, **({"customers": id_ranges(entry.customers)} if entry.customers else {})}),
        "held_values": held,
        "salt": salt,
        "values_hash": values_hash(salt, held) if salt is not None and held is not None else "",
        "previous_hash": previous or "",
    }
    row["row_hash"] = row_hash({**row, "database_login": login})
    connection.run("audit.append", **row)


def _names(fields: Sequence[str]) -> str:
    """Return the names of fields as one text; if they are too long for the column, the last ones are left out."""
    text = ",".join(fields)
    if len(text.encode("utf-16-le")) <= 2 * _NAMES:
        return text
    kept = list(fields)
    while len(",".join([*kept, _MORE]).encode("utf-16-le")) > 2 * _NAMES:
        kept.pop()
    return ",".join([*kept, _MORE])


def held_values(row: Row) -> dict[str, Any]:
    """Return the values of an entry; empty if it has none or they are erased.

    Raises:
        InvalidError: they are not what custctl wrote.
    """
    return _object(row, row.held_values) if row.held_values else {}


def detail(row: Row) -> dict[str, Any]:
    """Return the facts of an entry.

    Raises:
        InvalidError: they are not what custctl wrote.
    """
    return _object(row, row.detail)


def _object(row: Row, text: str) -> dict[str, Any]:
    try:
        found = exact_json.loads(text)
    except (ValueError, TypeError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InvalidError(
            f"entry {row.id} of the audit differs from what was written",
            hint="`custctl audit verify` shows what changed",
        )
    return found


def find_operation(connection: Connection, operation_id: str) -> list[Row]:
    """Return the rows of an operation by part; empty if it was never applied."""
    return list(connection.run("audit.operation", operation=operation_id))


def erase_values(connection: Connection, customer_id: int) -> int:
    """Erase every value that the audit holds about a customer; return how many entries had some.

    The chain stays valid.
    """
    return connection.run("audit.erase", number=customer_id).rowcount


def snapshot(connection: Connection, customer_id: int, version: str) -> dict[str, Any] | None:
    """Return the customer at a version, or None if the audit does not have it.

    A write records the row after it, and the written fields before it: either side may be the requested version.
    """
    rows = connection.run("audit.values", number=customer_id)
    for after_version, held_values in rows:
        held = exact_json.loads(held_values)
        after: dict[str, Any] = held["after"]
        if after_version == version:
            return after
        if held.get("version_before") == version:
            return {**after, **held["before"], "version": version}
    return None


def id_ranges(ids: Iterable[int]) -> str:
    """Format ids as ranges: `4-9,12`."""
    parts: list[str] = []
    start = end = None
    for number in sorted(ids):
        if end is not None and number == end + 1:
            end = number
            continue
        if start is not None:
            parts.append(_range(start, end))
        start = end = number
    if start is not None:
        parts.append(_range(start, end))
    return ",".join(parts)


def _range(start: int, end: int | None) -> str:
    return str(start) if start == end else f"{start}-{end}"


def in_ranges(ranges: str, number: int) -> bool:
    """Return whether ranges from `id_ranges` contain a number."""
    for part in filter(None, ranges.split(",")):
        low, _, high = part.partition("-")
        if int(low) <= number <= int(high or low):
            return True
    return False
