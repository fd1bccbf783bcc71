"""Where `Context.meta` keeps what the command line says, for the commands of all levels."""

from __future__ import annotations

from typing import Final

GIVEN: Final = "custctl.given"
"""The shared options: a dict from name to values, outermost level first."""

CONTEXT: Final = "custctl.context"
"""The `Context` of the running command, once it is made."""

UNRESOLVED: Final = "custctl.unresolved"
"""The arguments from an unknown command on."""
