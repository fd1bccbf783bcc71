"""Statements on what the database says about itself, in SQLAlchemy Core: the source of `engines/*/statements.py`.

Nothing else loads this module.
"""

from __future__ import annotations

from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.sql.base import Executable

from custctl.schema.names import FIRST_SCRIPTS, PRODUCT_SCRIPTS
from custctl.schema.tables import journal, metadata

STAMPS = ("environment", "epoch", "database_id", "deferred_indexes", "own_fields")


def fixed(text: str) -> sa.ColumnElement[str]:
    """Return one of the program's own texts as a literal, not as a parameter."""
    return sa.literal_column(f"'{text}'", sa.Unicode())


class Clock(Protocol):
    """What these statements need of an engine's dialect."""

    def now(self) -> sa.ColumnElement[str]:
        """Return an expression for the database's clock."""

    def read_only(self) -> sa.ColumnElement[str]:
        """Return an expression that is `yes` if the database refuses writes."""


def epoch_query() -> sa.ScalarSelect[str]:
    """Return the epoch as a subquery, to read it in the same statement as a row."""
    return _held("epoch")


def own_fields_query() -> sa.ScalarSelect[str]:
    """Return the record of own fields as a subquery, for the same purpose."""
    return _held("own_fields")


def _held(name: str) -> sa.ScalarSelect[str]:
    return sa.select(metadata.c.value).where(metadata.c.name == fixed(name)).scalar_subquery()


def epoch_is_held() -> sa.Exists:
    """Return the condition that the database's history has not forked since the epoch `held_epoch` was read."""
    return sa.exists().where(metadata.c.name == fixed("epoch"), metadata.c.value == sa.bindparam("held_epoch"))


def _product_number() -> sa.ColumnElement[Any]:
    """Return the number of a product script; NULL for a company script.

    Numbers after the first ones are identified by name: a company script may have the same number.
    """
    named = [
        (name, int(name.split("/")[1].split("_")[0])) for name in PRODUCT_SCRIPTS if name.startswith("migrations/")
    ]
    later: list[tuple[sa.ColumnElement[bool], sa.ColumnElement[Any]]] = [
        (journal.c.name == fixed(name), sa.literal_column(str(number)))
        for name, number in named
        if number > FIRST_SCRIPTS
    ]
    return sa.case((journal.c.version <= sa.literal_column(str(FIRST_SCRIPTS)), journal.c.version), *later)


def statements(dialect: Clock) -> dict[str, Executable]:
    """Return the statements by name."""
    held = metadata.c
    key: sa.BindParameter[str] = sa.bindparam("key")
    newest: sa.Select[Any, Any] = sa.select(
        fixed("schema_version"), sa.cast(sa.func.max(_product_number()), sa.Unicode(20))
    ).where(journal.c.state.in_([fixed("applied"), fixed("baseline")]))
    stamps = sa.select(held.name, held.value).where(held.name.in_([fixed(name) for name in STAMPS]))
    return {
        "clock.now": sa.select(dialect.now().label("now")),
        "metadata.standing": sa.union_all(stamps, newest),
        "metadata.standing_read_only": sa.union_all(stamps, newest, sa.select(fixed("read_only"), dialect.read_only())),
        "database.read_only": sa.select(dialect.read_only().label("read_only")),
        "metadata.all": sa.select(held.name, held.value),
        "metadata.delete": sa.delete(metadata).where(held.name == key),
        "metadata.insert": sa.insert(metadata).values(name=key, value=sa.bindparam("value")),
        "metadata.update": sa.update(metadata).where(held.name == key).values(value=sa.bindparam("held")),
    }
