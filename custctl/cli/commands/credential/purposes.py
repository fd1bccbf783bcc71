"""Selects which of a profile's secrets a command uses."""

from __future__ import annotations

from typing import Annotated

import typer

from custctl.profiles.credentials import Purpose

ForOption = Annotated[
    Purpose,
    typer.Option(
        "--for",
        help="Which secret: the database password, the cache password, the cache's encryption key or the identity"
        " provider's secret.",
    ),
]

DATABASE = Purpose.DATABASE


def option_of(purpose: Purpose) -> str:
    """Return the option that selects a purpose in a command; empty for the default."""
    return "" if purpose is DATABASE else f" --for {purpose}"
