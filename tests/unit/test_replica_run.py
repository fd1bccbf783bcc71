"""What a run that changes the primary reports of its steps."""

from __future__ import annotations

from typing import Any, cast

from custctl.replication.execution import Done, Run
from custctl.replication.plan import SWITCHOVER, Plan, Step
from custctl.support.errors import CustctlError


def test_the_time_without_writes_ends_with_a_first_write_that_succeeded() -> None:
    steps = {name: Step(name, "b", name) for name in ("lock", "fence", "promote", "follow", "record", "verify")}
    took = {"lock": 5.0, "fence": 0.5, "promote": 2.0, "follow": 30.0, "record": 0.25, "verify": 7.0}
    run = Run(
        cast("Any", None), Plan(SWITCHOVER, "op", "a", "b", tuple(steps.values())), cast("Any", None), "ada", print
    )
    run.done = [Done(step, "", took[name]) for name, step in steps.items()]
    # A step that failed takes its time, too.
    run.done[3].failed = CustctlError("it does not follow")
    assert run.without_writes == 32.75
    run.done[4].failed = CustctlError("the audit is full")
    assert run.without_writes is None
    run.done = run.done[:4]
    assert run.without_writes is None
