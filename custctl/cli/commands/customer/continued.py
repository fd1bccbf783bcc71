"""`list --next`: continues the last list of this terminal."""

from __future__ import annotations

from custctl.cli.context import Context
from custctl.support.errors import UsageError
from custctl.support.lists import LastList, recall, remember


class Continued:
    """The last list of this terminal.

    Args:
        limit_given: whether the user gave a page size; otherwise it stays unchanged.
    """

    def __init__(self, context: Context, *, limit_given: bool) -> None:
        self._context = context
        self._limit_given = limit_given

    def cursor(self, after: str | None, limit: int) -> tuple[str | None, int]:
        """Return the cursor of the next page, None at the end, and the number of rows per page.

        Raises:
            UsageError: there is no such list, or it belongs to another profile or database.
        """
        if after is not None:
            raise UsageError("`--next` and `--after` cannot be used together", hint="remove one of them")
        last = recall(self._context.environ)
        if last is None:
            raise UsageError(
                "this terminal has no list to continue",
                hint="run `custctl customer list` first; in a script, continue with `--after CURSOR`",
            )
        profile = self._context.profile
        if (last.profile, last.location) != (profile.name, profile.location):
            raise UsageError(
                f"the last list of this terminal is of profile `{last.profile}` ({last.location}), not of"
                f" `{profile.name}` ({profile.location})",
                hint=f"continue it with `--env {last.profile}`, or list `{profile.name}` without `--next` first",
            )
        return last.cursor, limit if self._limit_given else last.limit

    def refused(self, error: UsageError) -> UsageError:
        """Return the error for filters that differ from the list's."""
        return UsageError(
            f"`--next` continues the last list of this terminal, with its order and filters: {error.message}",
            hint="use `--next` alone, or run the new list without it",
        )

    def remember(self, cursor: str | None, limit: int) -> str | None:
        """Remember where a page ended, and return the command that shows the next one, for a person."""
        profile = self._context.profile
        kept = remember(self._context.environ, LastList(profile.name, profile.location, cursor, limit))
        return "custctl customer list --next" if kept and self._context.is_watched else None
