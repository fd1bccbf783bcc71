"""Progress messages of a run of scripts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from custctl.cli.context import Context
from custctl.engines.model import Index, LockHolder, SearchIndex
from custctl.engines.scripts import Finding
from custctl.migrations.journal import Record
from custctl.migrations.phases import in_words
from custctl.migrations.plan import Step
from custctl.migrations.release import Lacking
from custctl.migrations.run import Applied, Listener
from custctl.migrations.scripts import Script
from custctl.schema import standing
from custctl.support.errors import CustctlError
from custctl.support.text import plural
from custctl.terminal.console import Console


def tell_lacking(console: Console, lacking: Lacking) -> None:
    """Warn that the project's folder lacks scripts of this release, and say how to copy them."""
    names = ", ".join(f"`{name}`" for name in lacking.names)
    console.warn(f"`{lacking.folder}` lacks scripts of this release: {names}", f"copy them: `{lacking.command}`")


def tell_indexes(console: Console, names: Sequence[str]) -> None:
    """Say which indexes a run would build besides its scripts."""
    if names:
        console.note(
            f"the run would also build {plural(len(names), 'index', 'indexes')}: {', '.join(f'`{n}`' for n in names)}"
        )


class Reporter(Listener):
    """Reports a run on stderr.

    Args:
        step: called with each step; see `Console.steps`.
    """

    def __init__(self, context: Context, step: Callable[[str], None]) -> None:
        self._console = context.console
        self._step = step
        self._location = context.profile.location

    def stamped(self, environment: str) -> None:
        """Say that the database now has its environment's stamp."""
        self._step(f"stamped {self._location} as `{environment}`")

    def waiting(self, holder: LockHolder | None) -> None:
        """Say what the run is waiting for."""
        self._console.note(f"waiting for another migration{f': {holder.description}' if holder else ''}")

    def building(self, index: Index) -> None:
        """Say which index is built first."""
        self._step(f"building the index `{index.name}`, which an import left out")

    def indexing(self, index: SearchIndex) -> None:
        """Say which search index is built."""
        self._step(f"building the index `{index.name}` for `custctl customer search`")

    def finding(self, script: Script, finding: Finding) -> None:
        """Warn."""
        self._console.warn(f"{script.name}:{finding.line}: {in_words(finding)}", finding.hint)

    def left(self, scripts: Sequence[Script]) -> None:
        """Say what stays pending, and how to apply it."""
        names = ", ".join(f"`{script.name}`" for script in scripts)
        self._console.note(f"left for the contract release: {names}; apply with `custctl migrate` after the switch")

    def missing(self, record: Record) -> None:
        """Warn."""
        self._console.warn(f"`{record.name}` is {record.state} in the journal but not on disk")

    def lacking(self, lacking: Lacking) -> None:
        """Warn that the folder lacks scripts of this release."""
        tell_lacking(self._console, lacking)

    def too_old(self, version: int | None) -> None:
        """Warn."""
        found = f"at version {version}" if version is not None else "not there"
        self._console.warn(
            f"the schema of custctl is {found}, but version {standing.REQUIRED_SCHEMA} is required: other commands exit with 8",
            "`custctl migrate status` lists the scripts",
        )

    def applying(self, step: Step) -> None:
        """Say which script runs next, if `-v` was given."""
        self._console.detail(f"applying {step.script.name} ({step.reason})")

    def notice(self, script: Script, text: str, hint: str | None) -> None:
        """Print a warning from the database."""
        self._console.warn(f"{script.name}: {text}", hint)

    def message(self, script: Script, text: str) -> None:
        """Print a script's progress message."""
        self._console.note(f"{script.name}: {text}")

    def applied(self, done: Applied) -> None:
        """Say which script was applied."""
        self._step(f"applied {done.script.name} in {done.duration_ms} ms")

    def unrecorded(self, error: CustctlError) -> None:
        """Warn."""
        self._console.warn(
            f"your own fields are not recorded, or not indexed for search: {error.message}",
            "run `custctl migrate` again",
        )
