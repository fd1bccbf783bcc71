"""Carries out a plan. Each step is journalled before it begins.

A failure before the point of no return is undone; a failure after it is left to a rerun. This holds for every
exception, expected or not, and the journal records which it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from custctl.replication.journal import ABORTED, DONE, INCOMPLETE
from custctl.replication.planning import quoted
from custctl.support.errors import (
    CredentialError,
    CustctlError,
    IncompleteError,
    InterruptedRunError,
    OutcomeUnknownError,
    RefusedError,
    SplitBrainError,
    UnavailableError,
)
from custctl.support.signals import Terminated, held_back, interrupt_of, let_through

if TYPE_CHECKING:
    from custctl.replication.driver import Driver
    from custctl.replication.journal import Journal
    from custctl.replication.plan import Loss, Plan, Step

_AGAIN = "run the same command again: it resumes where this run stopped"
_NOTHING_BEGUN = (CredentialError, RefusedError, UnavailableError)
"""What a driver's irrevocable step raises if it has not asked the target anything yet."""
_ANYTHING = (Exception, KeyboardInterrupt, SystemExit)
"""Everything that can end a step while the process lives."""


@dataclass(slots=True)
class Done:
    """A step that was carried out, or attempted.

    Attributes:
        detail: the result in words, or the error.
        took: seconds.
    """

    step: Step
    detail: str
    took: float
    failed: CustctlError | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
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
        actor: the name to record.
        note: called with progress messages for a person.
    """

    driver: Driver
    plan: Plan
    journal: Journal
    actor: str
    note: Callable[[str], None]
    done: list[Done] = field(default_factory=list)
    _begun: list[Step] = field(default_factory=list)
    _past: bool = False
    """Whether the target is the primary, or may have been asked to become it."""

    def execute(self) -> None:
        """Carry out all steps.

        Raises:
            IncompleteError: the target is the primary, but a later step failed; or a begun step could not be undone.
            SplitBrainError: the target is the primary, and so is another node.
            OutcomeUnknownError: the target was asked to become the primary, and whether it did is unknown.
            InterruptedRunError: a signal ended the run; the message describes the state it left.
            CustctlError: raised by a step before the point of no return; the earlier steps were undone.
        """
        self._past = self.driver.irrevocable not in [step.name for step in self.plan.steps]
        # A signal may end a step, but never the journal writes or the undo.
        with held_back():
            try:
                self.journal.begin(self.plan, self.actor)
                for step in self.plan.steps:
                    with let_through():
                        pass  # a signal that is pending now ends the run before the step begins
                    self._take(step)
            except _ANYTHING as error:
                self._stop(_foreseen(error), error)
            self._judge()
            self._try(self.journal.end, self.plan.operation_id, DONE)

    @property
    def without_writes(self) -> float | None:
        """Seconds from fencing the old primary to the new one's first write; None if there was no such write."""
        names = [done.step.name for done in self.done]
        if "record" not in names or self.done[names.index("record")].failed is not None:
            return None
        first = names.index("fence") if "fence" in names else 0
        return round(sum(done.took for done in self.done[first : names.index("record") + 1]), 3)

    @property
    def loss(self) -> Loss:
        """What may be lost, as known now."""
        return self.driver.loss(self.plan)

    @property
    def to_rejoin(self) -> str | None:
        """The old primary, if an operator must rejoin it."""
        return None if self.driver.brings_back else self.plan.old

    def _take(self, step: Step) -> None:
        """Carry out a step. After the point of no return, a failed step does not stop the ones that follow."""
        began = time.monotonic()
        try:
            self._perform(step)
        except _ANYTHING as error:
            failure = _foreseen(error)
            self._try(self.journal.step, self.plan, step, "failed", failure.message)
            stopped = isinstance(failure, InterruptedRunError) or step.name == self.driver.irrevocable
            if stopped or not self._past:
                raise
            self.done.append(Done(step, failure.message, time.monotonic() - began, failure))
            self._try(self.note, f"{step.what}: failed: {failure.message}")

    def _perform(self, step: Step) -> None:
        self._begun.append(step)
        self._write("begun", step)
        began = time.monotonic()
        with let_through():
            detail = self._change(step)
        took = time.monotonic() - began
        self._write("done", step, detail)
        self.done.append(Done(step, detail, took))
        self.note(f"{step.what}{f': {detail}' if detail else ''} ({took:.2f} s)")

    def _change(self, step: Step) -> str:
        if step.name != self.driver.irrevocable:
            return self.driver.perform(self.plan, step)
        was_past, self._past = self._past, True
        try:
            return self.driver.perform(self.plan, step)
        except _NOTHING_BEGUN:
            self._past = was_past
            raise

    def _write(self, state: str, step: Step, detail: str = "") -> None:
        """Write to the journal. After the point of no return a failure to write is only reported."""
        if self._past:
            self._try(self.journal.step, self.plan, step, state, detail)
        else:
            self.journal.step(self.plan, step, state, detail)

    def _try(self, call: Callable[..., None], *arguments: Any) -> None:
        """Make a call whose failure must not stop the run; report the failure."""
        try:
            call(*arguments)
        except _ANYTHING as error:
            if call is not self.note:
                self._try(self.note, _foreseen(error).message)

    def _stop(self, error: CustctlError, cause: BaseException) -> NoReturn:
        """End a run at a failed step, and raise the error to report."""
        plan = self.plan
        past = self._past and bool(self._begun)
        if past and isinstance(error, IncompleteError):
            # Another node became the primary: there is nothing to undo, and nothing to resume.
            self._try(self.journal.end, plan.operation_id, ABORTED)
            raise error from cause
        if past:
            self._try(self.journal.end, plan.operation_id, INCOMPLETE)
            message = f"{error.message}, after `{plan.target}` was asked to become the primary"
            if isinstance(error, InterruptedRunError):
                raise InterruptedRunError(message, terminated=error.exit_code == 143, hint=_AGAIN) from cause
            raise OutcomeUnknownError(
                message, hint=f"`custctl replica status` shows the current state; {_AGAIN}", details=self._details()
            ) from cause
        undone, failures = self._undo()
        if failures:
            self._try(self.journal.end, plan.operation_id, INCOMPLETE)
            fenced = "fence" in [step.name for step in self._begun]
            unfence = f"when that node answers, `custctl replica unfence {plan.old}`, or " if fenced else ""
            raise IncompleteError(
                f"{error.message}; and the steps already done could not be undone: {'; '.join(failures)}",
                hint=f"{unfence}{_AGAIN}",
                details=self._details(),
            ) from cause
        self._try(self.journal.end, plan.operation_id, ABORTED)
        if hooked := quoted(self.driver.hooked):
            undone = undone or ["nothing else was changed"]
            error.message = f"{error.message}; {', '.join(undone)}, but what the hook did to {hooked} stays"
            error.hint = error.hint or "`custctl replica status` shows the current state"
        else:
            error.message = f"{error.message}; {', '.join(undone) or 'nothing was changed'}"
        raise error from (cause if cause is not error else None)

    def _undo(self) -> tuple[list[str], list[str]]:
        """Undo the begun steps in reverse order; return what was undone, and the failures."""
        undone, failures = [], []
        for step in reversed(self._begun):
            try:
                what = self.driver.undo(self.plan, step)
            except _ANYTHING as error:
                failures.append(f"{step.what}: {_foreseen(error).message}")
                continue
            if what:
                self._try(self.journal.step, self.plan, step, "undone", what)
                undone.append(what)
        return undone, failures

    def _judge(self) -> None:
        """Raise if a step after the point of no return has failed."""
        failed = [done for done in self.done if done.failed is not None]
        if not failed:
            return
        self._try(self.journal.end, self.plan.operation_id, INCOMPLETE)
        for done in failed:
            if isinstance(done.failed, SplitBrainError):
                raise done.failed
        what = "; ".join(f"{done.step.what}: {done.detail}" for done in failed)
        hints = [done.failed.hint for done in failed if done.failed and done.failed.hint]
        raise IncompleteError(
            f"`{self.plan.target}` is the primary, but a later step failed: {what}",
            hint=hints[0] if hints else _AGAIN,
            details=self._details(),
        )

    def _details(self) -> dict[str, Any]:
        return {"operation_id": self.plan.operation_id, "steps": [done.as_dict() for done in self.done]}


def _foreseen(error: BaseException) -> CustctlError:
    """Return the error as a `CustctlError`. An unexpected one is named by type only: its text may hold anything."""
    if isinstance(error, CustctlError):
        return error
    interrupt = interrupt_of(error)
    if interrupt is not None:
        return InterruptedRunError("interrupted", terminated=isinstance(interrupt, Terminated))
    reason = error.strerror if isinstance(error, OSError) else None
    return CustctlError(
        f"unexpected {type(error).__name__}{f': {reason}' if reason else ''}",
        hint="this is a bug: run the command again with `--debug` and report what it prints",
    )
