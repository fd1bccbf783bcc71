"""Naming a customer: by id or by email."""

from __future__ import annotations

from custctl.support.errors import NotFoundError, UsageError

_MAX_ID = 2**63 - 1
_SHOWN = 100  # characters of what was asked for that a message repeats


def parse_who(who: str) -> int | str:
    """Return the id, or the email in the form in which it is kept.

    An id that no row can have is one of its own: it names nobody.

    Raises:
        UsageError: the text is neither.
    """
    from custctl.customers.emails import normalise_email

    text = check_text(who, "WHO").strip()
    if "@" in text:
        return normalise_email(text)
    if text.isascii() and text.isdigit():
        # Python refuses to read thousands of digits.
        return min(int(text.lstrip("0")[:20] or "0"), _MAX_ID)
    raise UsageError(f"`{who}` is not an id or an email", hint=_look(text))


def check_text(text: str, what: str) -> str:
    """Return a text from the command line if a database can be asked for it.

    Raises:
        UsageError: bytes that are no UTF-8 came in as lone surrogates, or NUL, which not every engine takes.
    """
    if any("\ud800" <= char <= "\udfff" or char == "\0" for char in text):
        raise UsageError(f"{what} is not valid text: `{text}`", hint="give it in UTF-8")
    return text


def not_found(who: str) -> NotFoundError:
    """Return the error for a customer that is not there."""
    shown = who if len(who) <= _SHOWN else f"{who[:_SHOWN]}…"
    name, at, _ = who.partition("@")
    return NotFoundError(f"there is no customer {shown}", hint=_look(name if at else ""))


def _look(text: str) -> str:
    """Return how to look for a customer: by a text that it may be known by, or among all."""
    import shlex

    if not text:
        return "`custctl customer list` shows all customers"
    end = "-- " if text.startswith("-") else ""
    return f"search for it with `custctl customer search {end}{shlex.quote(text[:_SHOWN])}`"
