"""What a script lacks when it resumes on a new session: the settings and temporary objects of its first run."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from custctl.engines.scripts import Statement


@dataclass(frozen=True, slots=True)
class Lost:
    """Something that a statement needs but that ended with the previous run.

    Attributes:
        number: the statement's number among those that have not run, from 0.
        what: what it needs, in words.
        hint: the next step.
    """

    number: int
    what: str
    hint: str


@dataclass(frozen=True, slots=True)
class Temporary:
    """A temporary object.

    Attributes:
        kind: `table`, `trigger` and the like, for messages.
        shown: its name as the script spells it.
        name: its bare name.
    """

    kind: str
    shown: str
    name: str


def lost_objects(
    made: Mapping[str, Temporary],
    rest: Sequence[Statement],
    making: Callable[[Statement], str | None],
    uses: Callable[[Statement, Temporary], bool],
) -> Lost | None:
    """Return the first temporary object that a statement needs before the script creates it again.

    Args:
        made: the temporary objects that the finished statements created, by name.
        rest: the statements that have not run.
        making: returns the name of the object that a statement creates, if any.
        uses: tells whether a statement needs an object.
    """
    missing = dict(made)
    for number, statement in enumerate(rest):
        missing.pop(making(statement) or "", None)
        for each in missing.values():
            if uses(statement, each):
                what = f"the temporary {each.kind} `{each.shown}`"
                return Lost(number, what, f"make `{each.shown}` again in the script, before this statement")
    return None


def mentions(statement: Statement, name: str) -> bool:
    """Tell whether a name occurs in a statement, including its strings and bodies."""
    return re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", statement.text, re.IGNORECASE) is not None
