"""`custctl identity verify`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from custctl.cli.commands.arguments import operation
from custctl.cli.context import Context
from custctl.cli.options import WRITE, OperationOption, command
from custctl.support.errors import InvalidError
from custctl.support.text import plural

if TYPE_CHECKING:
    from custctl.identity.accounts.drift import Comparison, Drift


@command(
    shared=WRITE,
    examples="""
custctl identity verify
custctl identity verify --env prod -o json
custctl identity verify --env prod --fix --confirm prod
""",
)
def verify(
    ctx: typer.Context,
    fix: Annotated[bool, typer.Option("--fix", help="Queue the repairs, after confirmation.")] = False,
    operation_id: OperationOption = None,
) -> None:
    """Compare all customers with all accounts at the provider; exit 9 if they differ.

    Finds customers without an account, accounts without a customer, emails and states that differ, and two accounts for
    one customer. The first 1,000 differences are looked up again before they are shown. `--fix` queues the repairs;
    accounts that custctl did not create are never removed.
    """
    from custctl.identity.accounts.drift import COLUMNS

    context = Context.of(ctx)
    operation_id = operation(operation_id)
    if fix:
        context.announce(COLUMNS)
    accounts = context.client.accounts
    with context.console.progress("reading", None) as progress, accounts.compare(progress.advance) as comparison:
        counts: Counter[str] = Counter()
        context.renderer.many(_counted(comparison, counts), COLUMNS)
        read = (
            f"compared {plural(comparison.customers, 'customer', 'customers')} with"
            f" {plural(comparison.accounts, 'account', 'accounts')}"
        )
        context.console.note(read)
        if comparison.unconfirmed:
            many = plural(comparison.unconfirmed, "difference was", "differences were")
            context.console.note(f"{many} not looked up again, so some may no longer exist")
        left = Counter(drift.kind for drift in comparison.drifts() if not (fix and _is_repaired(drift)))
        pending = sum(drift.pending for drift in comparison.drifts())
        repaired = counts.total() - left.total()
        if repaired:
            context.confirm_destruction(f"queue {plural(repaired, 'repair', 'repairs')} of accounts at the provider?")
            repaired = accounts.repair(comparison.drifts(), operation_id=operation_id)
            context.wrote(
                f"{plural(repaired, 'repair is', 'repairs are')} queued",
                f"`custctl audit list --operation {operation_id}`",
            )
            context.console.note(f"{plural(repaired, 'repair is', 'repairs are')} queued: run `custctl identity sync`")
    if not left:
        return
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(left.items()))
    raise InvalidError(
        f"{plural(left.total(), 'difference', 'differences')} {'left' if repaired else 'found'} ({kinds})",
        hint=_hint(pending, left.total() - pending, fix=fix),
        details=dict(counts),
    )


def _is_repaired(drift: Drift) -> bool:
    """Return whether `--fix` queues a repair."""
    return drift.repair is not None and not drift.pending


def _hint(pending: int, others: int, *, fix: bool) -> str:
    hints = []
    if pending:
        hints.append(f"{plural(pending, 'repair is', 'repairs are')} queued already: run `custctl identity sync`")
    if others:
        by_hand = "link what has no repair by hand: see `custctl identity link --help`"
        hints.append(by_hand if fix else "`custctl identity verify --fix` queues the repairs")
    return "; ".join(hints)


def _counted(comparison: Comparison, counts: Counter[str]) -> Iterator[dict[str, Any]]:
    for drift in comparison.drifts():
        counts[drift.kind] += 1
        yield drift.as_dict()
