"""Reports differences between a schema and what its scripts create."""

from __future__ import annotations

from typing import TYPE_CHECKING

from custctl.support.text import plural

if TYPE_CHECKING:
    from custctl.cli.context import Context
    from custctl.migrations.shapes import Comparison


def tell_shape(context: Context, comparison: Comparison) -> None:
    """Warn of each difference."""
    for difference in comparison.differences:
        context.console.warn(f"the schema differs from the scripts: {difference.sentence}")


def check_shape(comparison: Comparison) -> None:
    """Refuse a schema that differs from its scripts.

    Raises:
        MigrationError: there is a difference.
    """
    from custctl.support.errors import MigrationError

    if comparison.differences:
        raise MigrationError(
            f"the schema differs from the scripts: {plural(len(comparison.differences), 'difference', 'differences')}",
            hint="`custctl doctor` shows a statement for each",
            details={"differences": comparison.documents()},
        )
