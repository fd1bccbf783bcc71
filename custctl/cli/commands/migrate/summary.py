"""A run's summary in Markdown, for a CI server's page."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from custctl.cli.commands.reporting import Reporter
from custctl.cli.context import Context
from custctl.engines.scripts import Finding
from custctl.migrations.phases import phase_of_rule
from custctl.migrations.run import Run
from custctl.migrations.scripts import Script
from custctl.support.errors import CustctlError, UnavailableError, UsageError
from custctl.support.signals import interrupt_of
from custctl.support.state import write_whole
from custctl.support.text import plural, visible

_FENCE = re.compile(r"`+")


class SummaryReporter(Reporter):
    """Reports a run on stderr, and collects what the summary needs."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.run: Run | None = None
        self.findings: list[dict[str, Any]] = []

    def planned(self, run: Run) -> None:
        """Keep the run, which records what was applied even if it fails."""
        self.run = run

    def finding(self, script: Script, finding: Finding) -> None:
        """Warn, and keep the finding."""
        super().finding(script, finding)
        self.findings.append(
            {
                "script": script.name,
                "line": finding.line,
                "rule": finding.rule,
                "phase": phase_of_rule(finding.rule),
                "message": finding.message,
            }
        )


@contextmanager
def summarised(context: Context, path: Path | None, reporter: SummaryReporter, *, dry_run: bool) -> Iterator[None]:
    """Write a summary at the end of the block, with the error if it fails.

    Args:
        path: the file; None for no summary.

    Raises:
        UsageError: the file cannot be written; nothing was done.
        UnavailableError: the run succeeded, but the file could not be written at the end.
    """
    if path is None:
        yield
        return
    place = _writable(path)
    try:
        yield
    except BaseException as error:
        try:
            _write(place, _document(context, reporter, error, dry_run=dry_run))
        except OSError as lost:
            context.console.warn(f"cannot write `{path}`: {lost.strerror}")
        raise
    try:
        _write(place, _document(context, reporter, None, dry_run=dry_run))
    except OSError as lost:
        done = f"{_applied(len(reporter.run.applied))}, but " if reporter.run and reporter.run.applied else ""
        raise UnavailableError(
            f"{done}cannot write `{path}`: {lost.strerror}", hint="`custctl migrate status` shows the scripts"
        ) from lost


def _applied(count: int) -> str:
    return f"{plural(count, 'script was', 'scripts were')} applied"


def _writable(path: Path) -> Path:
    """Return the file's resolved path, after checking as far as possible that it can be written."""
    place = path.resolve()
    if place.exists() and not place.is_file():
        raise UsageError(f"cannot write `{path}`: it is not a regular file")
    if not place.parent.is_dir():
        raise UsageError(f"cannot write `{path}`: its folder does not exist", hint="create the folder")
    if not os.access(place.parent, os.W_OK | os.X_OK):
        raise UsageError(f"cannot write `{path}`: permission denied in its folder")
    return place


def _write(place: Path, text: str) -> None:
    write_whole(place, text)
    # Another user may collect it: the job's user, if custctl runs in a container.
    place.chmod(0o644)


def _document(context: Context, reporter: SummaryReporter, error: BaseException | None, *, dry_run: bool) -> str:
    """Return the summary of a run that succeeded or failed."""
    run, profile = reporter.run or Run(), context.profile
    planned = [step for step in run.planned if step.script not in {done.script for done in run.applied}]
    numbers = [done.script.version for done in run.applied if done.script.version is not None]
    after = run.after if error is None else max([*numbers, run.before or 0]) or None
    if error is not None:
        result = "failed"
    elif dry_run:
        result = f"{plural(len(planned), 'script', 'scripts')} planned"
    else:
        result = _applied(len(run.applied)) if run.applied else "nothing to do"
    facts = [
        ("environment", str(profile.environment)),
        ("database", profile.location),
        ("from", _version(run.before) if reporter.run else "unknown"),
        ("to", _version(after) if reporter.run else "unknown"),
        ("result", result),
    ]
    parts = [f"# Migration of `{profile.name}`: {result}", _table(("", ""), facts)]
    if run.applied:
        rows = [(done.script.name, str(done.statements), f"{done.duration_ms} ms") for done in run.applied]
        parts += ["## Applied", _table(("script", "statements", "duration"), rows)]
    if planned and (error is not None or dry_run):
        todo = [(step.script.name, step.reason, run.phases.get(step.script.name, "")) for step in planned]
        parts += ["## Planned" if dry_run else "## Not applied", _table(("script", "reason", "release"), todo)]
    if dry_run and run.indexes:
        parts += ["## Indexes", _table(("index",), [(name,) for name in run.indexes])]
    findings = [*reporter.findings, *(error.details.get("findings", []) if isinstance(error, CustctlError) else [])]
    if findings:
        columns = ("script", "line", "rule", "release", "message")
        names = ("script", "line", "rule", "phase", "message")
        parts += [
            "## Linter findings",
            _table(columns, [tuple(str(found[name]) for name in names) for found in findings]),
        ]
    if error is not None:
        parts += ["## Error", *_error(context, error)]
    return "\n\n".join(parts) + "\n"


def _error(context: Context, error: BaseException) -> Iterator[str]:
    known = isinstance(error, CustctlError)
    message = error.message if isinstance(error, CustctlError) else f"unexpected {type(error).__name__}"
    if interrupt_of(error) is not None and not known:
        message = "interrupted"
    yield _fenced(context.carry(message))
    if isinstance(error, CustctlError) and error.hint:
        yield "Next step:"
        yield _fenced(context.carry(error.hint))


def _fenced(text: str) -> str:
    """Return a text as a block without markup."""
    fence = "`" * (max((len(run) for run in _FENCE.findall(text)), default=0) + 3)
    return "\n".join([f"{fence}text", *(visible(line) for line in text.split("\n")), fence])


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: str) -> str:
    """Return a value in one line, with no markup except `code`."""
    return re.sub(r"([\\|<>\[\]*_])", r"\\\1", visible(" ".join(value.split())))


def _version(number: int | None) -> str:
    return str(number) if number is not None else "none"
