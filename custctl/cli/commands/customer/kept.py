"""Where edits of a customer are kept, until they are written, are a day old, or the customer is deleted."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from custctl.cli.context import Context
from custctl.support import kept
from custctl.support.errors import UsageError
from custctl.support.lists import forget_lists


def edits_of(context: Context, customer_id: int) -> tuple[Path, str]:
    """Return the folder of kept edits, and the part of their names that identifies a customer of this database."""
    return kept.edits_of(context.environ, context.profile.location, customer_id)


def forget_customer(context: Context, customer_id: int) -> None:
    """Remove all kept edits of a customer, and where lists ended: its values may be in them."""
    forget_lists(context.environ, context.profile.location)
    with suppress(UsageError):  # no home folder, nothing kept
        kept.forget_edits(*edits_of(context, customer_id))
