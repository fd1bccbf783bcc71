"""Shared by the commands that change replicas: the driver, the display of the plan, the progress of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from custctl.support.errors import CustctlError

if TYPE_CHECKING:
    from custctl.cli.context import Context
    from custctl.replication.driver import Driver
    from custctl.replication.execution import Run
    from custctl.replication.journal import Intent, Journal
    from custctl.replication.plan import Loss, Plan
    from custctl.replication.topology import Topology

NodeArgument = Annotated[str, typer.Argument(metavar="NODE", help="A node of the profile.")]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Print the plan; change nothing. A later run may differ.")
]

PLAN_COLUMNS = ("step", "node", "what")
RESULT_COLUMNS = ("step", "node", "state", "detail", "took_s")


def steer(
    context: Context,
    make_plan: Callable[[Driver, Topology, Intent | None], Plan],
    question: Callable[[Plan], str],
    *,
    dry_run: bool,
) -> None:
    """Plan, ask for confirmation, execute, and print the result."""
    from custctl.replication.execution import Run

    replicas = context.client.replicas
    if dry_run:
        context.renderer.check_fields(PLAN_COLUMNS)
    else:
        context.announce(RESULT_COLUMNS)
    journal = replicas.journal
    with replicas.driver(changes=not dry_run) as driver, journal.held():
        unfinished = _unfinished(context, journal)
        plan = make_plan(driver, driver.observe(), unfinished)
        if dry_run:
            _show_plan(context, plan)
            return
        if plan.is_empty:
            context.console.note(f"`{plan.target}` is already the primary; nothing to do")
            journal.settle(plan)
            _show_result(context, plan, None)
            return
        for warning in plan.warnings:
            context.console.warn(warning)
        if plan.kind == "failover":
            context.console.note(str(plan.loss))
        context.confirm_destruction(question(plan))
        with context.console.steps() as step:
            run = Run(driver, plan, journal, context.opened.actor, step)
            with _cache_in_step(context, driver):
                run.execute()
                context.wrote(f"`{plan.target}` is the primary", "`custctl replica history` shows it")
        _show_result(context, plan, run)


@contextmanager
def _cache_in_step(context: Context, driver: Driver) -> Iterator[None]:
    """Block readers of the cache while the history may fork, and tell the cache the new epoch."""
    mirror = context.opened.mirror if driver.database_id is not None else None
    if mirror is None:
        yield
        return
    ended = False
    try:
        with mirror.many(driver.database_id):
            try:
                yield
                ended = True
            finally:
                if driver.counted is not None:
                    with _only_warned(context):
                        mirror.forked(driver.database_id, driver.counted)
    except Exception:
        if not ended:
            raise
        _warn_of_cache(context)


@contextmanager
def _only_warned(context: Context) -> Iterator[None]:
    """Turn a fault of the cache into a warning, so that it does not hide the run's outcome."""
    try:
        yield
    except Exception:  # noqa: BLE001 - the primary has changed anyway, or the run has its own error
        _warn_of_cache(context)


def _warn_of_cache(context: Context) -> None:
    context.console.warn("cannot tell the cache about the new primary: run `custctl cache clear`")


def _unfinished(context: Context, journal: Journal) -> Intent | None:
    held = journal.unfinished()
    if held is not None:
        context.console.note(f"a {held.kind} to `{held.target}`, started {held.at}, is not finished")
    return held


def _show_plan(context: Context, plan: Plan) -> None:
    rows = [{"step": step.name, "node": step.node, "what": step.what} for step in plan.steps]
    document = {**_heads(plan), "loss": plan.loss.as_dict(), "warnings": list(plan.warnings), "steps": rows}
    context.renderer.document(document, rows=rows, columns=PLAN_COLUMNS)
    for warning in plan.warnings:
        context.console.warn(warning)
    context.console.note(f"{plan.loss}; nothing was changed, and a later run may differ")


def _show_result(context: Context, plan: Plan, run: Run | None) -> None:
    rows = [done.as_dict() for done in run.done] if run is not None else []
    loss = _loss(context, plan, run) if run is not None else plan.loss
    stopped = run.without_writes if run is not None else None
    document = {**_heads(plan), "without_writes_s": stopped, "loss": loss.as_dict(), "steps": rows}
    context.renderer.document(document, rows=rows, columns=RESULT_COLUMNS)
    if run is None:
        return
    context.console.note(f"`{plan.target}` is the primary; {loss}")
    if run.to_rejoin is not None:
        context.console.note(f"`{run.to_rejoin}` is not a standby yet: run `custctl replica rejoin {run.to_rejoin}`")


def _loss(context: Context, plan: Plan, run: Run) -> Loss:
    """Return what may be lost, as known now, or as planned if that cannot be determined."""
    try:
        return run.driver.loss(plan)
    except Exception as error:  # noqa: BLE001 - the run succeeded, and its caller must learn that
        why = f": {error.message}" if isinstance(error, CustctlError) else ""
        context.console.warn(f"cannot check again how much may be lost{why}")
        return plan.loss


def _heads(plan: Plan) -> dict[str, Any]:
    return {"kind": plan.kind, "operation_id": plan.operation_id, "from": plan.old, "to": plan.target}
