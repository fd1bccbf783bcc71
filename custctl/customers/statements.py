"""The statements on the customers' tables, in SQLAlchemy Core: the source of `engines/*/statements.py`.

Dynamic statements (most lists, exact searches, the audit's list) are built where they run, from the same columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import bindparam

from custctl.customers.model import FIELDS
from custctl.schema.names import CUSTOMER
from custctl.schema.statements import epoch_is_held, epoch_query, fixed, own_fields_query
from custctl.schema.tables import (
    customer,
    customer_account,
    customer_account_outbox,
    customer_audit,
    customer_import,
    customer_password,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.sql.base import Executable

    from custctl.engines.connection import Connection
    from custctl.engines.dialect import Dialect

VALUES = ("held_values", "salt")
"""The audit's columns that hold the written values; reading them needs a separate privilege."""

_MADE_THERE = ("id", "database_login")  # columns of the audit that the database fills

_EMAIL = "email"  # a placeholder for the columns that a call names

HIT = "the_hits"
"""Placeholder in a statement's source for the query of a search's hits."""

OWN = "the_own_fields"
"""Placeholder in a statement's source for the company's own columns."""


def row_columns() -> list[ColumnElement[Any]]:
    """Return the columns of a row, id first; `OWN` stands for the own fields, which depend on the database."""
    return [*(customer.c[name] for name in FIELDS), sa.literal_column(OWN)]


def columns(row: Sequence[ColumnElement[Any]]) -> list[ColumnElement[Any]]:
    """Return the columns to select for a `Customer`: a row's columns, the epoch and the record of own fields."""
    return [*row, epoch_query().label("epoch"), own_fields_query().label("own_fields")]


def selected(connection: Connection) -> list[ColumnElement[Any]]:
    """Return `columns` for a connection, with the own fields that it knows."""
    own: list[ColumnElement[Any]] = [
        sa.literal_column(connection.own_cell(field, f"{connection.qualified(CUSTOMER)}.{connection.quote(field.name)}"))
        .label(f"own_{at}")
        for at, field in enumerate(connection.own.fields)
    ]  # fmt: skip
    return columns([*(customer.c[name] for name in FIELDS), *own])


def facts() -> list[ColumnElement[Any]]:
    """Return the audit's columns that hold no written values."""
    return [column for column in customer_audit.c if column.name not in VALUES]


def statements(dialect: Dialect) -> dict[str, Executable]:
    """Return the statements by name."""
    return {
        **_customers(dialect),
        **_lists(),
        **_exports(dialect),
        **_passwords(dialect),
        **_audit(dialect),
        **_imports(dialect),
        **_accounts(),
        **_outbox(),
    }


def _customers(dialect: Dialect) -> dict[str, Executable]:
    row_id = customer.c.id == bindparam("id")
    who: sa.BindParameter[Any] = bindparam("who")
    held = sa.and_(row_id, customer.c.version == bindparam("held_version"), epoch_is_held())
    place: dict[str, Any] = {_EMAIL: bindparam(_EMAIL)}
    hit = sa.table(HIT, sa.column("lane"), sa.column("id")).alias("hit")
    return {
        "customer.found": sa.select(hit.c.lane, *columns(row_columns()))
        .select_from(sa.join(customer, hit, hit.c.id == customer.c.id))
        .order_by(hit.c.lane, hit.c.id),
        "customer.by_id": sa.select(*columns(row_columns())).where(customer.c.id == who),
        "customer.by_email": sa.select(*columns(row_columns())).where(customer.c.email == who),
        "customer.row": sa.select(*row_columns()).where(row_id),
        "customer.id_by_id": sa.select(customer.c.id).where(customer.c.id == who),
        "customer.id_by_email": sa.select(customer.c.id).where(customer.c.email == who),
        "customer.count": sa.select(sa.func.count().label("count")).select_from(customer),
        "customer.add": dialect.returning(sa.insert(customer).values(place), row_columns()),
        "customer.update": dialect.returning(
            sa.update(customer).where(held).values({**place, **dialect.touch()}), row_columns()
        ),
        "customer.delete": sa.delete(customer).where(held).returning(customer.c.id),
    }


def _lists() -> dict[str, Executable]:
    """Return the lists by id, with the filters that need no condition of the user's own; `lanes` builds all others."""
    after, most = (bindparam(name, type_=sa.BigInteger()) for name in ("after", "most"))
    status, country = (
        customer.c[name] == bindparam(name, type_=customer.c[name].type) for name in ("status", "country")
    )
    place: tuple[ColumnElement[Any], ...] = (sa.literal_column("0").label("lane"), sa.null().label("lane_key"))
    rows = sa.select(*place, *columns(row_columns())).where(customer.c.id > after).order_by(customer.c.id)
    page = rows.limit(most).offset(sa.literal_column("0"))
    return {
        "customer.list": page,
        "customer.list_by_status": page.where(status),
        "customer.list_by_country": page.where(country),
        "customer.list_by_both": page.where(status, country),
    }


def _exports(dialect: Dialect) -> dict[str, Executable]:
    prefix: sa.BindParameter[str] = bindparam("prefix", type_=sa.Text())
    version = dialect.version_text(customer.c.version, prefix)
    cells = [version if name == "version" else customer.c[name] for name in FIELDS]
    rows = sa.select(*cells).where(customer.c.id > bindparam("after")).order_by(customer.c.id)
    return {
        "customer.export": rows.add_columns(sa.literal_column(OWN)),
        "customer.export_joined": dialect.joined(rows, bindparam("size", type_=sa.Integer())),
    }


def _passwords(dialect: Dialect) -> dict[str, Executable]:
    owner = customer_password.c.customer_id == bindparam("owner")
    values = {"hash": bindparam("stored"), "updated_at": dialect.now()}
    both = sa.select(customer_password.c.hash, *columns(row_columns())).outerjoin_from(
        customer, customer_password, customer_password.c.customer_id == customer.c.id
    )
    held = customer_password.join(customer, customer_password.c.customer_id == customer.c.id).outerjoin(
        customer_account, customer_account.c.customer_id == customer.c.id
    )
    linked = customer_account.c.provider == bindparam("at", type_=customer_account.c.provider.type)
    active = customer.c.status == fixed("active")
    one, none = (sa.literal_column(number, sa.Integer()) for number in ("1", "0"))
    return {
        "customer.with_hash_by_id": both.where(customer.c.id == bindparam("who")),
        "customer.with_hash_by_email": both.where(customer.c.email == bindparam("who")),
        "password.page": sa.select(
            *(customer.c[name] for name in ("id", "email", "first_name", "last_name", "status")),
            customer_password.c.hash,
            customer_account.c.provider,
        )
        .select_from(held)
        .where(customer_password.c.customer_id > bindparam("after", type_=customer_password.c.customer_id.type))
        .order_by(customer_password.c.customer_id)
        .limit(sa.literal_column("1000"))
        .offset(sa.literal_column("0")),
        "password.to_move": sa.select(
            sa.func.count().label("hashes"),
            sa.func.sum(sa.case((linked, one), else_=none)).label("linked"),
            sa.func.sum(sa.case((active, one), else_=none)).label("active"),
            sa.func.sum(sa.case((sa.and_(linked, active), one), else_=none)).label("active_linked"),
        ).select_from(held),
        "password.count": sa.select(sa.func.count().label("count")).select_from(customer_password),
        "password.hash": sa.select(customer_password.c.hash).where(owner),
        "password.insert": sa.insert(customer_password).values(customer_id=bindparam("owner"), **values),
        "password.update": sa.update(customer_password).where(owner).values(values),
        "password.delete": sa.delete(customer_password).where(owner),
    }


def _audit(dialect: Dialect) -> dict[str, Executable]:
    entry, number = customer_audit.c, bindparam("number", type_=customer_audit.c.customer_id.type)
    of = entry.customer_id == number
    operation = entry.operation_id == bindparam("operation")
    has_values = entry.held_values.is_not(None)
    last = sa.select(sa.func.max(entry.sequence)).where(of).scalar_subquery()
    last_hash = sa.select(entry.row_hash).where(of, entry.sequence == last).scalar_subquery()
    login = dialect.login()
    ends = (dialect.now().label("now"), login.label("login"), last.label("sequence"), last_hash.label("row_hash"))
    batch = sa.and_(
        entry.customer_id == sa.literal_column("0"), entry.last_customer_id >= number, entry.first_customer_id <= number
    )
    history = sa.or_(of, batch)
    changes = sa.and_(
        entry.customer_id == sa.literal_column("0"), entry.action.in_([fixed("switchover"), fixed("failover")])
    )
    written = {
        column.name: bindparam(column.name, type_=column.type) for column in entry if column.name not in _MADE_THERE
    }
    return {
        "audit.ends": sa.select(*ends),
        "audit.append": sa.insert(customer_audit).values({**written, "database_login": login}),
        "audit.operation": sa.select(customer_audit).where(operation).order_by(entry.part),
        "audit.action": sa.select(entry.action).where(operation, entry.part == bindparam("number_of_part")),
        "audit.history": sa.select(customer_audit).where(history).order_by(entry.id),
        "audit.history_facts": sa.select(*facts()).where(history).order_by(entry.id),
        "audit.values": sa.select(entry.version, entry.held_values)
        .where(of, has_values)
        .order_by(entry.sequence.desc()),
        "audit.erase": sa.update(customer_audit).where(of, has_values).values(held_values=sa.null(), salt=sa.null()),
        "audit.changes": sa.select(*facts()).where(changes).order_by(entry.sequence),
    }


def _imports(dialect: Dialect) -> dict[str, Executable]:
    mine = customer_import.c.key == bindparam("of")
    values = {"position": bindparam("reached"), "updated_at": dialect.now()}
    return {
        "import.position": sa.select(customer_import.c.position).where(mine),
        "import.insert": sa.insert(customer_import).values(key=bindparam("of"), **values),
        "import.update": sa.update(customer_import).where(mine).values(values),
        "import.delete": sa.delete(customer_import).where(mine),
    }


def _accounts() -> dict[str, Executable]:
    link = customer_account.c
    mine = link.customer_id == bindparam("owner")
    seen = {name: bindparam(f"seen_{name}", type_=link[name].type) for name in ("email", "enabled")}
    values = {
        "provider": bindparam("at", type_=link.provider.type),
        "subject": bindparam("linked", type_=link.subject.type),
        **seen,
        "seen_at": bindparam("now", type_=link.seen_at.type),
    }
    return {
        "account.of": sa.select(customer_account).where(mine),
        "account.owner": sa.select(link.customer_id)
        .join_from(customer_account, customer, customer.c.id == link.customer_id)
        .where(link.subject == bindparam("linked")),
        "account.insert": sa.insert(customer_account).values(customer_id=bindparam("owner"), **values),
        "account.update": sa.update(customer_account).where(mine).values(values),
        "account.delete": sa.delete(customer_account).where(mine),
        "account.count": sa.select(sa.func.count().label("count")).select_from(customer_account),
        "account.all": sa.select(link.customer_id, link.provider, link.subject).order_by(link.customer_id),
        "account.customer": sa.select(
            *(customer.c[name] for name in ("id", "email", "first_name", "last_name", "status"))
        ).where(customer.c.id == bindparam("owner")),
        "account.customers": sa.select(customer.c.id, customer.c.email, customer.c.status).order_by(customer.c.id),
    }


def _outbox() -> dict[str, Executable]:
    row = customer_account_outbox.c

    def given(name: str, column: str) -> sa.BindParameter[Any]:
        return bindparam(name, type_=row[column].type)

    about = sa.and_(row.customer_id == bindparam("about"), row.stray == bindparam("found"))
    free = sa.or_(row.claimed_until.is_(None), row.claimed_until < given("now", "claimed_until"))
    held = sa.and_(row.id == bindparam("number"), row.claimed_by == bindparam("mine"))
    due = sa.select(row.id).where(row.next_attempt_at <= given("since", "next_attempt_at"), free)
    order = (row.next_attempt_at, row.id)
    none, one, few = (sa.literal_column(number, sa.Integer()) for number in ("0", "1", "100"))
    let_go = {"claimed_by": sa.null(), "claimed_until": sa.null()}
    failing = row.attempts > none
    return {
        "outbox.raise": sa.update(customer_account_outbox)
        .where(about)
        .values(
            generation=row.generation + one,
            operation_id=bindparam("operation"),
            next_attempt_at=given("now", "next_attempt_at"),
        ),
        "outbox.add": sa.insert(customer_account_outbox).values(
            customer_id=bindparam("about"),
            stray=bindparam("found"),
            operation_id=bindparam("operation"),
            generation=one,
            attempts=none,
            next_attempt_at=given("now", "next_attempt_at"),
            created_at=given("now", "created_at"),
        ),
        "outbox.remember": sa.update(customer_account_outbox).where(about).values(subject=bindparam("linked")),
        "outbox.due": due.order_by(*order).limit(few).offset(none),
        "outbox.due_of": due.where(row.operation_id == bindparam("operation")).order_by(*order).limit(few).offset(none),
        "outbox.about": sa.select(row.id).where(about),
        "outbox.left_of": sa.select(sa.func.count().label("count")).where(row.operation_id == bindparam("operation")),
        "outbox.claim": sa.update(customer_account_outbox)
        .where(row.id == bindparam("number"), free)
        .values(claimed_by=bindparam("mine"), claimed_until=given("until", "claimed_until")),
        "outbox.row": sa.select(customer_account_outbox).where(row.id == bindparam("number")),
        "outbox.renew": sa.update(customer_account_outbox)
        .where(held)
        .values(claimed_until=given("until", "claimed_until")),
        "outbox.intend": sa.update(customer_account_outbox).where(held).values(intent=bindparam("planned")),
        "outbox.done": sa.delete(customer_account_outbox).where(held, row.generation == bindparam("seen")),
        "outbox.release": sa.update(customer_account_outbox).where(held).values(let_go),
        "outbox.fail": sa.update(customer_account_outbox)
        .where(held)
        .values(
            attempts=row.attempts + one,
            next_attempt_at=given("again", "next_attempt_at"),
            last_error=bindparam("told"),
            **let_go,
        ),
        "outbox.customers": sa.select(row.customer_id).where(row.customer_id > none).order_by(row.customer_id),
        "outbox.counts": sa.select(
            sa.func.count().label("pending"),
            sa.func.sum(sa.case((failing, one), else_=none)).label("failed"),
            sa.func.min(row.created_at).label("oldest"),
            sa.func.min(row.next_attempt_at).label("next_attempt_at"),
        ).select_from(customer_account_outbox),
        "outbox.failures": sa.select(row.customer_id, row.stray, row.attempts, row.next_attempt_at, row.last_error)
        .where(failing)
        .order_by(row.next_attempt_at.desc(), row.id)
        .limit(sa.literal_column("10"))
        .offset(none),
    }
