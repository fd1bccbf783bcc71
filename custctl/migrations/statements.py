"""The journal's statements, in SQLAlchemy Core: the source of `engines/*/statements.py`.

A script is found by its number or by its name, see `Script.key`: those statements have two forms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy import bindparam

from custctl.schema.statements import fixed
from custctl.schema.tables import journal

if TYPE_CHECKING:
    from sqlalchemy.sql.base import Executable

    from custctl.engines.dialect import Dialect


def statements(dialect: Dialect) -> dict[str, Executable]:
    """Return the statements by name."""
    columns = [column for column in journal.c if column.name not in ("id", "finished_at")]
    written = {column.name: bindparam(column.name, type_=column.type) for column in columns}
    ended, running = {**written, "finished_at": dialect.now()}, {**written, "finished_at": sa.null()}
    clock = sa.select(dialect.now().label("now")).subquery("clock")
    held = (journal.c.id, journal.c.state, journal.c.checksum, journal.c.statements_applied, journal.c.in_flight)
    found: dict[str, Executable] = {
        "journal.all": sa.select(journal).order_by(journal.c.id),
        "journal.insert_ended": sa.insert(journal).values(ended),
        "journal.insert_running": sa.insert(journal).values(running),
        "journal.fail": sa.update(journal)
        .where(journal.c.id == bindparam("row"))
        .values(state=fixed("failed"), in_flight=sa.null(), finished_at=dialect.now()),
    }
    found["journal.holder"] = sa.select(journal.c.name).where(journal.c.version == bindparam("script_key"))
    for kind, column in (("version", journal.c.version), ("name", journal.c.name)):
        key = column == bindparam("script_key")
        change = sa.update(journal).where(key)
        found |= {
            f"journal.update_ended_by_{kind}": change.values(ended),
            f"journal.update_running_by_{kind}": change.values(running),
            f"journal.progress_by_{kind}": change.values(
                statements_applied=bindparam("applied"), in_flight=bindparam("running_one")
            ),
            f"journal.accept_by_{kind}": change.values(
                checksum=bindparam("new_checksum"), script=bindparam("new_script")
            ),
            f"journal.state_by_{kind}": sa.select(journal.c.state, journal.c.checksum).where(key),
            f"journal.recheck_by_{kind}": sa.select(clock.c.now, *held).select_from(clock.outerjoin(journal, key)),
        }
    return found
