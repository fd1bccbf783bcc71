"""Carrying out a plan: each step journalled before it is begun, undone before the point of no return, left to a rerun
behind it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from custctl.errors import (
    CustctlError,
    IncompleteError,
    InterruptedRunError,
    OutcomeUnknownError,
    SplitBrainError,
    UnavailableError,
)
from custctl.signals import Terminated, only_first

if TYPE_CHECKING:
    from collections.abc import Callable

    from custctl.replication.drivers import Driver
    from custctl.replication.journal import Journal
    from custctl.replication.plan import Plan, Step

_AGAIN = "run the same command again: it goes on where this one stopped"


@dataclass(slots=True)
class Done:
    """A step that was carried out, or was tried.

    Attributes:
        detail: what came of it, in words; what went wrong where it failed.
        took: seconds.
    """

    step: Step
    detail: str
    took: float
    failed: CustctlError | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it by name."""
        return {
            "step": self.step.name,
            "node": self.step.node,
            "state": "failed" if self.failed else "done",
            "detail": self.detail,
            "took_s": round(self.took, 3),
        }


@dataclass(slots=True)
class Run:
    """One plan being carried out.

    Args:
        actor: who is recorded.
        told: called with each step as it begins and ends, for a person.
    """

    driver: Driver
    plan: Plan
    journal: Journal
    actor: str
    told: Callable[[str], None]
    done: list[Done] = field(default_factory=list)
    _begun: list[Step] = field(default_factory=list)
    _past: bool = False
    """Whether the target is the primary, or may have been told to become it."""

    def execute(self) -> None:
        """Carry out all steps.

        Raises:
            IncompleteError: the target is the primary, and a later step failed; or what was begun could not be undone.
            SplitBrainError: it is, and so is another node.
            OutcomeUnknownError: whether it is could not be learnt.
            InterruptedRunError: by a signal; the message says how things stand.
            CustctlError: as the step that failed before the point of no return; what came before it was undone.
        """
        self._past = self.driver.irrevocable not in [step.name for step in self.plan.steps]
        # Whoever is impatient must not keep the old primary from being given back.
        with only_first():
            try:
                self.journal.begin(self.plan, self.actor)
                for step in self.plan.steps:
                    self._take(step)
            except KeyboardInterrupt as stopped:
                self._stop(InterruptedRunError("interrupted", terminated=isinstance(stopped, Terminated)))
            self._judge()
            self._write(self.journal.end, self.plan.operation_id, "done")

    @property
    def without_writes(self) -> float | None:
        """Seconds from the moment that the old primary refused writes to the new one's first; None where it never did."""
        names = [done.step.name for done in self.done]
        if "record" not in names:
            return None
        first = names.index("fence") if "fence" in names else 0
        return round(sum(done.took for done in self.done[first : names.index("record") + 1]), 3)

    def _take(self, step: Step) -> None:
        """Carry out a step; one that fails behind the point of no return keeps nothing from the others."""
        try:
            self._perform(step)
        except CustctlError as error:
            self._write(self.journal.step, self.plan, step, "failed", error.message)
            if step.name == self.driver.irrevocable or not self._past:
                self._stop(error)
            self.done.append(Done(step, error.message, 0.0, error))
            self.told(f"{step.what}: failed: {error.message}")

    def _perform(self, step: Step) -> None:
        self._begun.append(step)
        self._write(self.journal.step, self.plan, step, "begun", needed=not self._past)
        began = time.monotonic()
        self._past = self._past or step.name == self.driver.irrevocable
        detail = self.driver.perform(self.plan, step)
        took = time.monotonic() - began
        self._write(self.journal.step, self.plan, step, "done", detail, needed=not self._past)
        self.done.append(Done(step, detail, took))
        self.told(f"{step.what}{f': {detail}' if detail else ''} ({took:.2f} s)")

    def _write(self, write: Callable[..., None], *facts: Any, needed: bool = False) -> None:
        """Write to the journal; where it is too late to do nothing instead, a failure is only told."""
        try:
            write(*facts)
        except UnavailableError as error:
            if needed:
                raise
            self.told(error.message)

    def _stop(self, error: CustctlError) -> NoReturn:
        """End a run at a step that failed, and raise what is told of it."""
        plan = self.plan
        at_point = bool(self._begun) and self._begun[-1].name == self.driver.irrevocable
        if at_point and isinstance(error, IncompleteError):
            # Another node became the primary: there is nothing to take back, and nothing to go on with.
            self._write(self.journal.end, plan.operation_id, "aborted")
            raise error
        if at_point and not isinstance(error, OutcomeUnknownError | InterruptedRunError):
            self._past = False
        if self._past:
            message = f"{error.message}, after `{plan.target}` was told to become the primary"
            if isinstance(error, InterruptedRunError):
                raise InterruptedRunError(message, terminated=error.exit_code == 143, hint=_AGAIN)
            raise OutcomeUnknownError(
                message, hint=f"`custctl replica status` shows how things stand; {_AGAIN}", details=self._details()
            ) from None
        undone, failures = self._undo()
        if failures:
            raise IncompleteError(
                f"{error.message}; and what was begun could not be taken back: {'; '.join(failures)}",
                hint=f"when that node answers, `custctl replica unfence {plan.old}`, or {_AGAIN}",
                details=self._details(),
            ) from None
        self._write(self.journal.end, plan.operation_id, "aborted")
        error.message = f"{error.message}; {', '.join(undone) or 'nothing was changed'}"
        raise error

    def _undo(self) -> tuple[list[str], list[str]]:
        """Take back what was begun, the last first, and return what was taken back and why the rest could not be."""
        undone, failures = [], []
        for step in reversed(self._begun):
            try:
                what = self.driver.undo(self.plan, step)
            except CustctlError as error:
                failures.append(error.message)
                continue
            if what:
                self._write(self.journal.step, self.plan, step, "undone", what)
                undone.append(what)
        return undone, failures

    def _judge(self) -> None:
        failed = [done for done in self.done if done.failed is not None]
        for done in failed:
            if isinstance(done.failed, SplitBrainError):
                raise done.failed
        if failed:
            what = "; ".join(f"{done.step.what}: {done.detail}" for done in failed)
            hints = [done.failed.hint for done in failed if done.failed and done.failed.hint]
            raise IncompleteError(
                f"`{self.plan.target}` is the primary, and not everything followed: {what}",
                hint=hints[0] if hints else _AGAIN,
                details=self._details(),
            )

    def _details(self) -> dict[str, Any]:
        return {"operation_id": self.plan.operation_id, "steps": [done.as_dict() for done in self.done]}
