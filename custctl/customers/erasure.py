"""A data subject's request for erasure, as the audit records it: what was erased, and the request's reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from custctl.customers import audit
from custctl.customers.history import read_rows, require_known
from custctl.customers.naming import check_text
from custctl.customers.operations import OperationIdUsedError
from custctl.support.errors import UsageError

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection

ACTION = "erase"
"""The action in the audit."""

COUNTED = ("customer", "password", "audit_values")
"""What is erased from the database, by the names that a report uses."""

_LONGEST = 100  # characters of a reference


@dataclass(frozen=True, slots=True)
class Erased:
    """What an operation has erased from the database.

    Attributes:
        erased_at: when, according to the audit; likewise `erased_by`.
        entry_hash: the hash of the audit's entry, which the chain proves.
        counts: how many of each: the customer's row, its password, entries of the audit that held values.
        scripts: the scripts whose text in the journal contains the address.
    """

    customer_id: int
    request: str
    operation_id: str
    erased_at: str
    erased_by: str
    entry_hash: str
    counts: Mapping[str, int]
    scripts: Sequence[str]


def check_request(text: str) -> str:
    """Return the reference of a request, which stays in the audit.

    Raises:
        UsageError: it is empty, too long, has control characters, or contains an email.
    """
    reference = check_text(text, "`--request`").strip()
    if not reference or len(reference) > _LONGEST or not reference.isprintable() or "@" in reference:
        raise UsageError(
            f"`--request` needs a reference of 1 to {_LONGEST} printable characters, without an email",
            hint="the audit keeps it, so it must name nobody: give the number of the ticket, such as `DSR-2041`",
        )
    return reference


def erasure_detail(request: str, counts: Mapping[str, int], scripts: Sequence[str]) -> dict[str, Any]:
    """Return what the audit keeps of an erasure: no personal data."""
    return {"request": request, "erased": dict(counts), "scripts": list(scripts)}


def read_erasure(database: Database, operation_id: str, request: str) -> Erased:
    """Return what an operation has erased.

    Raises:
        OperationIdUsedError: it was for another request.
    """
    with database.reading() as connection:
        row = audit.find_operation(connection, operation_id)[0]
    told = audit.detail(row)
    if told.get("request") != request:
        raise OperationIdUsedError(operation_id, f"has already been applied for request `{told.get('request')}`")
    return Erased(
        customer_id=row.customer_id,
        request=request,
        operation_id=operation_id,
        erased_at=row.happened_at,
        erased_by=row.actor,
        entry_hash=row.row_hash,
        counts={name: told["erased"][name] for name in COUNTED},
        scripts=told["scripts"],
    )


def last_version(connection: Connection, customer_id: int) -> str | None:
    """Return the last version in the audit of a customer whose row is gone; None if it has none.

    Raises:
        NotFoundError: there never was such a customer.
    """
    rows = read_rows(connection, customer_id, "audit.history_facts")
    require_known(connection, str(customer_id), customer_id, rows)
    return next((row.version for row in reversed(rows) if row.version is not None), None)


def scripts_that_hold(connection: Connection, email: str) -> list[str]:
    """Return the names of scripts whose text or error contains an address: the journal keeps what was applied."""
    import sqlalchemy as sa

    from custctl.schema.tables import journal

    rows = connection.execute(sa.select(journal.c.name, journal.c.script, journal.c.error).order_by(journal.c.id))
    return [name for name, script, error in rows if email in f"{script}\n{error or ''}".casefold()]
