"""Number spaces: the product's scripts have numbers below 1000, the company's have numbers from 1000 on.

Projects of earlier releases may have scripts of their own below 1000. Between the last number that every release had
and 1000, a script is the product's only if a release brings a file of that name. A product script and a company script
may then have the same number: the journal identifies both by name, and its column `version` holds the number of the one
that was applied first. See docs/decisions/number-spaces.md.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from custctl.schema.names import FIRST_SCRIPTS, PRODUCT_SCRIPTS

Space = Literal["product", "company"]

COMPANY_FROM: Final = 1000
"""The lowest number that `custctl migrate new` assigns."""

_NUMBER = re.compile(r"migrations/([0-9]+)_")


def number_of(name: str) -> int | None:
    """Return the number in the name of a versioned script, such as `migrations/0001_a.sql`; None for other scripts."""
    match = _NUMBER.match(name)
    return int(match[1]) if match else None


def space_of(name: str) -> Space:
    """Return the space that a script belongs to.

    Args:
        name: the file relative to the engine's folder, with `/`.
    """
    number = number_of(name)
    # Some projects have renamed the first scripts: their numbers were always the product's.
    is_first = number is not None and number <= FIRST_SCRIPTS
    return "product" if is_first or name in PRODUCT_SCRIPTS else "company"


def is_disputed(number: int) -> bool:
    """Return whether scripts of both spaces may have a number: the journal then identifies a script by its name."""
    return FIRST_SCRIPTS < number < COMPANY_FROM
