"""Filling and emptying the cache of a database."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from custctl.cache.probing import probe
from custctl.customers.lookup import to_customer, with_own_fields
from custctl.schema.standing import check_schema, read_standing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from custctl.cache.store import Cache
    from custctl.customers.model import Customer
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection
    from custctl.engines.results import Row

_BATCH = 500  # customers per round trip; a lease lasts much longer than a batch


@dataclass(slots=True)
class Warmed:
    """What was done.

    Attributes:
        looked_at: number of customers examined.
        filled: how many of them were added to the cache.
        held: how many were already in the cache.
        left: how many were not added, by reason.
    """

    looked_at: int = 0
    filled: int = 0
    held: int = 0
    left: Counter[str] = field(default_factory=Counter)


_LEFT = {
    "busy": "being written",
    "late": "changed during the run",
    "older": "cached in a later version already",
    "leased": "being filled by another reader",
    "replica": "read from a replica because the primary does not respond",
    "refused": "blocked by a key that does not belong to custctl",
}


def reasons(left: Counter[str]) -> str:
    """Return in words why the cache did not accept customers."""
    return ", ".join(f"{count} {_LEFT[why]}" for why, count in left.most_common())


def warm(cache: Cache, database: Database, limit: int, on_progress: Callable[[int], None]) -> Warmed:
    """Fill the cache with the most recently updated customers.

    A batch works as a single reader does: leases first, then the rows from the primary, then the entries.

    Raises:
        CacheError: the cache does not respond, or accepts no entries; what was filled stays.
    """
    import sqlalchemy as sa

    from custctl.schema.tables import customer

    # An explicit request: try the cache even if it has just failed.
    probe(cache.channel)
    newest = sa.select(customer.c.id).order_by(customer.c.updated_at.desc(), customer.c.id.desc()).limit(limit)
    with database.reading() as connection:
        check_schema(read_standing(connection))
        # Ids only: 100,000 of them take a few megabytes.
        ids = connection.execute(newest).scalars()
    done = Warmed()
    for begin in range(0, len(ids), _BATCH):
        batch = ids[begin : begin + _BATCH]
        looks = dict(zip(batch, cache.look_all(batch, counted=False), strict=True))
        leases = {each: look.lease for each, look in looks.items() if look.lease}
        rows = database.read(partial(_rows, database, list(leases)), replica=False)
        source = database.source
        # A replica that serves because the primary is down may lack writes that the primary has when it is back.
        if source is None or source.is_primary:
            told = cache.fill_all([(row, leases[row.id]) for row in rows])
            done.filled += told.pop("kept", 0)
            done.left.update(told)
        else:
            done.left["replica"] += len(rows)
        answers = Counter(look.answer for look in looks.values() if not look.lease)
        done.held += answers["hit"]
        done.left += Counter(busy=answers["busy"], leased=answers["miss"])
        done.looked_at += len(batch)
        on_progress(done.looked_at)
    return done


def _rows(database: Database, ids: list[int], connection: Connection) -> list[Customer]:
    if not ids:
        return []
    import sqlalchemy as sa

    from custctl.customers.statements import selected
    from custctl.schema.tables import customer

    def select() -> Sequence[Row]:
        return connection.execute(sa.select(*selected(connection)).where(customer.c.id.in_(ids))).all()

    return [to_customer(database, connection, row) for row in with_own_fields(database, connection, select)]


def count_entries(keys: Iterable[bytes]) -> int:
    """Return the number of entries among keys: each entry also has a key for its address, which does not count."""
    return sum(b":row:" in key for key in keys)


def clear(cache: Cache) -> int:
    """Remove all entries from the cache, and return their number.

    From the first moment on, no earlier entry is trusted, even if this run is killed.

    Raises:
        CacheError: the cache does not respond, or rejects the request.
    """
    cache.turn(os.urandom(9).hex())
    removed = 0
    for keys in cache.key_lists():
        wanted = [key for key in keys if not key.endswith((b":state", b":counts"))]
        if wanted:
            cache.drop(wanted)
            removed += count_entries(wanted)
    return removed
