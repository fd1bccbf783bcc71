"""Parses option values that several groups of commands share."""

from __future__ import annotations

from custctl.support.errors import UsageError


def duration(option: str, text: str) -> float:
    """Return a duration in seconds.

    Args:
        option: the option's name, for the message.

    Raises:
        UsageError: it is not a duration.
    """
    from custctl.support.units import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"`{option}`: {error}") from None


def operation(text: str | None) -> str:
    """Return the given operation id, or a new one.

    Raises:
        UsageError: it is not a UUID.
    """
    from custctl.customers.operations import chosen_operation_id

    return chosen_operation_id(text)
