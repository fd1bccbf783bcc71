"""Carrying out a plan: each step journalled before it is begun, undone before the point of no return, left to a rerun
behind it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from custctl.errors import (
    CustctlError,
    IncompleteError,
    InterruptedRunError,
    OutcomeUnknownError,
    SplitBrainError,
    UnavailableError,
)
from custctl.signals import Terminated

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

    def execute(self) -> None:
        """Carry out all steps.

        Raises:
            IncompleteError: the target is the primary, and a later step failed.
            SplitBrainError: it is, and so is another node.
            OutcomeUnknownError: whether it is could not be learnt.
            InterruptedRunError: by a signal; the message says how things stand.
            CustctlError: as the step that failed before the point of no return; what came before it was undone.
        """
        self.journal.begin(self.plan, self.actor)
        begun: list[Step] = []
        past = self.driver.irrevocable not in [step.name for step in self.plan.steps]
        for step in self.plan.steps:
            begun.append(step)
            try:
                self._perform(step)
            except KeyboardInterrupt as stopped:
                self._stop(begun, InterruptedRunError("interrupted", terminated=isinstance(stopped, Terminated)), past)
            except CustctlError as error:
                self.journal.step(self.plan, step, "failed", error.message)
                if not past:
                    self._stop(begun, error, past)
                self.done.append(Done(step, error.message, 0.0, error))
                self.told(f"{step.what}: failed: {error.message}")
            past = past or step.name == self.driver.irrevocable
        self._judge()
        self.journal.end(self.plan.operation_id, "done")

    @property
    def without_writes(self) -> float | None:
        """Seconds from the moment that the old primary refused writes to the new one's first; None where it never did."""
        names = [done.step.name for done in self.done]
        if "record" not in names:
            return None
        first = names.index("fence") if "fence" in names else 0
        return round(sum(done.took for done in self.done[first : names.index("record") + 1]), 3)

    def _perform(self, step: Step) -> None:
        self.journal.step(self.plan, step, "begun")
        began = time.monotonic()
        detail = self.driver.perform(self.plan, step)
        took = time.monotonic() - began
        self.journal.step(self.plan, step, "done", detail)
        self.done.append(Done(step, detail, took))
        self.told(f"{step.what}{f': {detail}' if detail else ''} ({took:.2f} s)")

    def _stop(self, begun: list[Step], error: CustctlError, past: bool) -> None:
        """End a run at a step that failed, and raise what is told of it."""
        plan, last = self.plan, begun[-1]
        if last.name == self.driver.irrevocable and isinstance(error, IncompleteError):
            # Another node became the primary: there is nothing to take back, and nothing to go on with.
            self.journal.end(plan.operation_id, "aborted")
            raise error
        maybe = last.name == self.driver.irrevocable and isinstance(
            error, OutcomeUnknownError | UnavailableError | InterruptedRunError
        )
        if past or maybe:
            message = f"{error.message}, after `{plan.target}` was told to become the primary"
            if isinstance(error, InterruptedRunError):
                raise InterruptedRunError(message, terminated=error.exit_code == 143, hint=_AGAIN)
            raise OutcomeUnknownError(
                message, hint=f"`custctl replica status` shows how things stand; {_AGAIN}", details=self._details()
            ) from None
        undone, failure = self._undo(begun)
        if failure is not None:
            raise IncompleteError(
                f"{error.message}; and what was begun could not be taken back: {failure.message}",
                hint=f"when that node answers, `custctl replica unfence {plan.old}`, or {_AGAIN}",
                details=self._details(),
            ) from None
        self.journal.end(plan.operation_id, "aborted")
        error.message = f"{error.message}; {undone or 'nothing was changed'}"
        raise error

    def _undo(self, begun: list[Step]) -> tuple[str, CustctlError | None]:
        undone = []
        for step in reversed(begun):
            try:
                what = self.driver.undo(self.plan, step)
            except CustctlError as error:
                return "", error
            if what:
                self.journal.step(self.plan, step, "undone", what)
                undone.append(what)
        return ", ".join(undone), None

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
