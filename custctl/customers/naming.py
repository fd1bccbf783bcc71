"""Naming a customer: by id or by email."""

from __future__ import annotations

from custctl.support.errors import NotFoundError, UsageError

NO_ID = 2**63 - 1
"""An id that no row has."""
BEFORE_ALL = -NO_ID
"""Less than every id."""

_SHOWN = 100  # characters of the user's text that a message repeats


def parse_who(who: str) -> int | str:
    """Return the id, or the email in its stored form.

    An id too large for any row becomes `NO_ID`.

    Raises:
        UsageError: the text is neither.
    """
    text = check_text(who, "WHO").strip()
    if "@" in text:
        from custctl.customers.emails import normalise_email

        return normalise_email(text)
    if text.isascii() and text.isdigit():
        # Python refuses to parse thousands of digits.
        return min(int(text.lstrip("0")[:20] or "0"), NO_ID)
    raise UsageError(f"`{shortened(who)}` is not an id or an email", hint=_look(text))


def check_text(text: str, what: str) -> str:
    """Return a text from the command line if it can be sent to a database.

    Raises:
        UsageError: it has lone surrogates, from bytes that are not UTF-8, or NUL, which not every engine accepts.
    """
    if any("\ud800" <= char <= "\udfff" or char == "\0" for char in text):
        raise UsageError(f"{what} is not valid text: `{text}`", hint="give it in UTF-8")
    return text


def not_found(who: str) -> NotFoundError:
    """Return the error for a customer that does not exist."""
    name, at, _ = who.partition("@")
    return NotFoundError(f"there is no customer {shortened(who)}", hint=_look(name if at else ""))


def shortened(who: str) -> str:
    """Return as much of the user's text as a message repeats."""
    return who if len(who) <= _SHOWN else f"{who[:_SHOWN]}…"


def _look(text: str) -> str:
    """Return a hint for finding a customer: a search for the text, or the list of all."""
    import shlex

    if not text:
        return "`custctl customer list` shows all customers"
    end = "-- " if text.startswith("-") else ""
    return f"search for it with `custctl customer search {end}{shlex.quote(text[:_SHOWN])}`"
