"""Filling and emptying the cache of a database."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import sqlalchemy as sa

from custctl.customers.lookup import columns, to_customer
from custctl.standing import check_schema, read_standing
from custctl.tables import customer

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from custctl.cache.store import Cache
    from custctl.customers.model import Customer
    from custctl.engines.base import Database

_BATCH = 500  # customers a round trip; their leases outlive a batch by far


@dataclass(slots=True)
class Warmed:
    """What was done.

    Attributes:
        looked_at: how many customers.
        filled: how many of them are new in the cache.
        held: how many it held already.
    """

    looked_at: int = 0
    filled: int = 0
    held: int = 0


def warm(cache: Cache, database: Database, limit: int, on_progress: Callable[[int], None]) -> Warmed:
    """Fill the cache with the customers that were touched last.

    A batch takes the way of a single reader: leases first, then the rows from the primary, then the entries.

    Raises:
        CacheError: the cache does not answer; what was filled stays.
    """
    # Who asks for this asks also where the cache has failed just now.
    cache.counts()
    newest = sa.select(customer.c.id).order_by(customer.c.updated_at.desc(), customer.c.id.desc()).limit(limit)
    with database.reading() as connection:
        check_schema(read_standing(connection))
        # Numbers alone: a hundred thousand of them are a few megabytes.
        ids = list(connection.execute(newest).scalars())
    done = Warmed()
    for begin in range(0, len(ids), _BATCH):
        batch = ids[begin : begin + _BATCH]
        looks = dict(zip(batch, cache.look_all(batch, counted=False), strict=True))
        leases = {each: look.lease for each, look in looks.items() if look.lease}
        rows = database.read(partial(_rows, database, list(leases)), replica=False)
        source = database.source
        # A replica that serves for want of the primary may lack what that will have when it is back.
        if rows and (source is None or source.is_primary):
            done.filled += cache.fill_all([(row, leases[row.id]) for row in rows])
        done.held += sum(look.answer == "hit" for look in looks.values())
        done.looked_at += len(batch)
        on_progress(done.looked_at)
    return done


def _rows(database: Database, ids: list[int], connection: Connection) -> list[Customer]:
    if not ids:
        return []
    found = connection.execute(sa.select(*columns()).where(customer.c.id.in_(ids)))
    return [to_customer(database, row) for row in found]


def clear(cache: Cache) -> int:
    """Take all entries out of the cache, and return how many keys that were.

    Nothing that was kept before is trusted from the first moment on, also where this is killed.
    """
    cache.turn(os.urandom(9).hex())
    removed = 0
    for keys in cache.key_lists():
        wanted = [key for key in keys if not key.endswith((b":state", b":counts"))]
        if wanted:
            cache.drop(wanted)
            removed += len(wanted)
    return removed
