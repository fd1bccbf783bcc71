"""Expand and contract: which release a script belongs to.

A deployment without downtime expands the schema, switches the program and contracts the schema later: what the running
release still needs is removed only when nobody runs that release any more.
See https://martinfowler.com/bliki/ParallelChange.html.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from custctl.engines.scripts import Finding, Statement

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.migrations.directives import Phase
    from custctl.migrations.scripts import Script

CONTRACT = frozenset(
    {
        # Something that the running release reads or writes is removed, renamed or gets another type.
        "drop-table", "drop-column", "drop-cascade", "drop-trigger", "rename-table", "rename-column", "alter-column-type",
        "delete-without-where", "truncate",
        # Something that it writes is rejected from then on.
        "not-null-without-default", "set-not-null", "constraint-validated",
    }
)  # fmt: skip
"""The linter's rules whose violation breaks the running release; all other rules are about locks and rewrites."""


def phase_of_rule(rule: str) -> Phase:
    """Return the release that a script with a finding of this rule belongs to."""
    return "contract" if rule in CONTRACT else "expand"


def in_words(finding: Finding) -> str:
    """Return a finding's message, with the release that its script belongs to."""
    return f"{finding.rule}: {finding.message} ({phase_of_rule(finding.rule)} release)"


def phase_of(database: Database, script: Script, statements: Sequence[Statement]) -> Phase:
    """Return the release that a script belongs to: from its directive, or else from the linter's findings.

    An allowed finding counts too: the reason for allowing it is rarely that it may run before the switch. Of the product's
    own scripts it is known: the release before tolerates each that has no directive.
    """
    if script.directives.phase is not None:
        return script.directives.phase
    if script.checksum in database.product().by_checksum:
        return "expand"
    found = database.lint(statements, transaction=script.directives.transaction)
    return "contract" if any(phase_of_rule(finding.rule) == "contract" for finding in found) else "expand"
