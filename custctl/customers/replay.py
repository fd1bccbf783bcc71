"""What an operation answers when its id was used before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from custctl.customers import audit
from custctl.customers.model import recorded_customer
from custctl.customers.naming import parse_who
from custctl.customers.operations import OperationIdUsedError, Outcome
from custctl.customers.transactions import VOID
from custctl.support.exact_json import same

if TYPE_CHECKING:
    from custctl.engines.results import Row
    from custctl.schema.own import Value


def replay(recorded: Row, action: str, who: str | None, request: Mapping[str, Value] | None = None) -> Outcome:
    """Return what an operation did the first time.

    Args:
        recorded: the operation's row in the audit.
        action: what the operation does now.
        who: the customer as the caller names it now; None for a new one.
        request: the values that are requested now, if any.

    Raises:
        OperationIdUsedError: the operation id belongs to another request, as far as the audit still holds that request.
    """
    if recorded.action == VOID:
        raise OperationIdUsedError(
            recorded.operation_id, "was abandoned when its connection was lost, and was not applied"
        )
    values = audit.held_values(recorded)
    before = values.get("request")
    is_same = before is None or request is None or same(before, dict(request))
    if recorded.action != action or not is_same or not _may_name(who, recorded.customer_id, values):
        of = f" of customer {recorded.customer_id}" if recorded.customer_id != audit.DATABASE else ""
        raise OperationIdUsedError(recorded.operation_id, f"has already been applied as `{recorded.action}`{of}")
    after = values.get("after")
    # The entry lacks fields that were added after it.
    customer = recorded_customer(after) if after else None
    return Outcome(customer, recorded.customer_id, recorded.operation_id, replayed=True)


def _may_name(who: str | None, customer_id: int, values: Mapping[str, Any]) -> bool:
    """Tell whether `who` is the operation's customer, as far as the audit still holds its emails."""
    named = None if who is None else parse_who(who)
    if isinstance(named, str):
        emails = {(values.get(side) or {}).get("email") for side in ("before", "after")} - {None}
        return not emails or named in emails
    return named in (None, customer_id)
