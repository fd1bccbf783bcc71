"""A run of scripts: what it did, and who hears of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from custctl.migrations.plan import Step
from custctl.migrations.scripts import Script
from custctl.support.text import plural

if TYPE_CHECKING:
    from custctl.engines.model import Index, LockHolder, SearchIndex
    from custctl.engines.scripts import Finding
    from custctl.migrations.directives import Phase
    from custctl.migrations.journal import Record
    from custctl.migrations.release import Lacking
    from custctl.support.errors import CustctlError


class Listener:
    """Receives the events of a run; every method may be overridden."""

    def stamped(self, environment: str) -> None:
        """A database without tables was stamped."""

    def waiting(self, holder: LockHolder | None) -> None:
        """Another run holds the lock."""

    def building(self, index: Index) -> None:
        """The run builds an index that an import deferred and did not finish."""

    def indexing(self, index: SearchIndex) -> None:
        """The run builds an index with which a search finds customers by their own fields."""

    def finding(self, script: Script, finding: Finding) -> None:
        """The linter reports a finding that does not stop this run."""

    def planned(self, run: Run) -> None:
        """The plan is known; nothing is applied yet."""

    def left(self, scripts: Sequence[Script]) -> None:
        """Scripts of the contract release stay pending."""

    def missing(self, record: Record) -> None:
        """A script in the journal is not on disk."""

    def lacking(self, lacking: Lacking) -> None:
        """The project's folder lacks scripts of the release."""

    def too_old(self, version: int | None) -> None:
        """After the run, the schema is too old for the program; `version` is the newest product script, or None."""

    def applying(self, step: Step) -> None:
        """A script starts."""

    def notice(self, script: Script, text: str, hint: str | None) -> None:
        """The database sends a warning while a script runs."""

    def message(self, script: Script, text: str) -> None:
        """A running script reports its progress."""

    def applied(self, done: Applied) -> None:
        """A script is applied and committed."""

    def unrecorded(self, error: CustctlError) -> None:
        """All scripts are applied, but the company's own fields could not be recorded."""


class Applied(NamedTuple):
    """A script that this run has applied; the duration is in milliseconds."""

    script: Script
    statements: int
    duration_ms: int


class Run:
    """What a run did.

    Attributes:
        before: the newest number applied before it, or None.
        after: the newest number applied after it, or None.
        applied: the scripts that it applied, in their order.
        planned: what it set out to do.
        phases: the release of each planned script, by name; set by a dry run.
        indexes: the names of the indexes that the run would build besides the scripts; set by a dry run.
    """

    def __init__(self, newest: int | None = None, planned: tuple[Step, ...] = ()) -> None:
        self.before = newest
        self.after = newest
        self.applied: list[Applied] = []
        self.planned = planned
        self.phases: dict[str, Phase] = {}
        self.indexes: tuple[str, ...] = ()

    @property
    def so_far(self) -> str:
        """What the run has applied, in words."""
        if not self.applied:
            return "this run applied no other scripts"
        last, count = self.applied[-1].script.name, len(self.applied)
        return f"this run applied {plural(count, 'script', 'scripts')}, up to `{last}`"
