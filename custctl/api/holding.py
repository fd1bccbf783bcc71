"""Everything that custctl stores about a person, for that person's request."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from custctl.api.erasing import EVERYWHERE
from custctl.engines.rows import BACKUPS
from custctl.schema.times import format_time
from custctl.support.errors import CredentialError, UsageError
from custctl.support.unsaved import edits_of, kept_edits

if TYPE_CHECKING:
    from custctl.api.opened import Opened
    from custctl.engines.results import Row


def held(opened: Opened, who: str) -> dict[str, Any]:
    """Return all data about a customer, by kind.

    Raises:
        CredentialError: this login may not read the row, the values in the audit, or whether a password is set.
        NotFoundError: there is no such customer and never was.
    """
    from custctl.customers.history import find_id, read_rows, require_known
    from custctl.customers.lookup import look_up, to_customer

    database = opened.database
    try:
        with database.reading(snapshot=True) as connection:
            number = find_id(connection, who)
            rows = read_rows(connection, number, "audit.history")
            require_known(connection, who, number, rows)
            found = look_up(database, connection, "customer.", number)
            if found is None:
                database.require_all_rows(connection)
            password = _password(connection, number)
            row = to_customer(database, connection, found) if found is not None else None
            account = connection.run("account.of", owner=number).one_or_none()
    except CredentialError as error:
        raise CredentialError(
            f"this login cannot read all data held about a person: {error.message}",
            hint=error.hint,
            details=error.details,
        ) from error
    edits = _edits(opened, number)
    return {
        "customer_id": number,
        "exported_at": format_time(datetime.now(UTC)),
        "environment": opened.profile.environment,
        "database": opened.profile.location,
        "customer": row.as_dict() if row is not None else None,
        "password": {"set": password is not None, "updated_at": password},
        "account": {"provider": account.provider, "subject": account.subject} if account is not None else None,
        "audit": [_entry(each) for each in rows if each.customer_id == number],
        "imports": [_batch(each) for each in rows if each.customer_id != number],
        "cache": _cache(opened, number),
        "kept_edits": edits,
        "not_included": [{"what": each.what, "why": each.why} for each in (BACKUPS, *EVERYWHERE[1:])],
    }


def _entry(row: Row) -> dict[str, Any]:
    from custctl.customers import audit

    return {
        "happened_at": row.happened_at,
        "action": row.action,
        "actor": row.actor,
        "version": row.version,
        "fields": [name for name in row.fields.split(",") if name],
        "values": audit.held_values(row) or None,
        "detail": audit.detail(row),
        "operation_id": row.operation_id,
    }


def _batch(row: Row) -> dict[str, Any]:
    from custctl.customers import audit

    detail = audit.detail(row)
    return {
        "happened_at": row.happened_at,
        "action": row.action,
        "actor": row.actor,
        "file": detail.get("file"),
        "operation_id": row.operation_id,
    }


def _password(connection: Any, number: int) -> str | None:
    """Return when the password was set, or None if none is. The hash is not read."""
    import sqlalchemy as sa

    from custctl.schema.tables import customer_password

    chosen = sa.select(customer_password.c.updated_at).where(customer_password.c.customer_id == number)
    found: str | None = connection.execute(chosen).scalar()
    return found


def _edits(opened: Opened, number: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    with suppress(UsageError):  # no home folder, so nothing is kept
        for path in kept_edits(*edits_of(opened.environ, opened.profile.location, number)):
            with suppress(OSError):
                kept_at = format_time(datetime.fromtimestamp(path.stat().st_mtime, UTC))
                found.append({"file": str(path), "kept_at": kept_at, "text": path.read_text("utf-8", "replace")})
    return found


def _cache(opened: Opened, number: int) -> dict[str, Any]:
    """Return whether the cache has an entry; null if it does not respond."""
    if opened.profile.cache is None:
        return {"entry": False}
    from custctl.cache.channel import CacheError

    try:
        cache = opened.inspect_cache()
        return {"entry": cache is not None and cache.has(number)}
    except CacheError as error:
        opened.tell.warn(f"the cache does not say whether it has an entry: {error}")
        return {"entry": None}
