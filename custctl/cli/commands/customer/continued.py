"""`--next`: continues the last list or search of this terminal."""

from __future__ import annotations

from collections.abc import Mapping

from custctl.cli.context import Context
from custctl.customers.model import FIELDS
from custctl.support.errors import UsageError
from custctl.support.lists import Kind, LastList, recall, remember

_COMMANDS: Mapping[Kind, str] = {"list": "custctl customer list", "search": "custctl customer search"}


class Continued:
    """The last list or search of this terminal.

    Args:
        kind: which of them.
        limit_given: whether the user gave a page size; otherwise it stays unchanged.
    """

    def __init__(self, context: Context, kind: Kind, *, limit_given: bool) -> None:
        self._context = context
        self._kind = kind
        self._limit_given = limit_given

    def cursor(self, after: str | None, limit: int) -> tuple[str | None, int]:
        """Return the cursor of the next page, None at the end, and the number of rows per page.

        Raises:
            UsageError: there is none, or it belongs to another profile or database.
        """
        if after is not None:
            raise UsageError("`--next` and `--after` cannot be used together", hint="remove one of them")
        last = recall(self._context.environ, self._kind)
        if last is None:
            raise UsageError(
                f"this terminal has no {self._kind} to continue",
                hint=f"run `{_COMMANDS[self._kind]}` first; in a script, continue with `--after CURSOR`",
            )
        profile = self._context.profile
        if (last.profile, last.location) != (profile.name, profile.location):
            raise UsageError(
                f"the last {self._kind} of this terminal used profile `{last.profile}` ({last.location}), not"
                f" `{profile.name}` ({profile.location})",
                hint=f"continue it with `--env {last.profile}`, or {self._kind} `{profile.name}` without `--next` first",
            )
        return last.cursor, limit if self._limit_given else last.limit

    def refused(self, error: UsageError) -> UsageError:
        """Return the error for a query that differs from the one to continue."""
        return UsageError(
            f"`--next` continues the last {self._kind} of this terminal as it was: {error.message}",
            hint=f"use `--next` alone, or run the new {self._kind} without it",
        )

    def ended(self) -> None:
        """Print a page without rows: the last one was shown before."""
        self._context.console.note(f"the last {self._kind} of this terminal is complete: there are no more rows")
        self._context.renderer.many([], FIELDS)

    def remember(self, cursor: str | None, limit: int) -> str | None:
        """Remember where a page ended, and return the command that shows the next one, for a person."""
        profile = self._context.profile
        kept = remember(self._context.environ, self._kind, LastList(profile.name, profile.location, cursor, limit))
        return f"{_COMMANDS[self._kind]} --next" if kept and self._context.is_watched else None
