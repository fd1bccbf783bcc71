"""Random passwords that nobody knows, for providers that require one to create or unlock an account."""

from __future__ import annotations

import secrets
import string
from typing import Final

# Well above every provider's minimum, and below bcrypt's 72 bytes.
_LENGTH: Final = 48
_KINDS: Final = (string.ascii_lowercase, string.ascii_uppercase, string.digits, "!@#%^*-_=+")


def make_password(at_least: int = 0) -> str:
    """Return a random password with letters of both cases, digits and symbols; it is sent once and not kept.

    Args:
        at_least: the provider's minimum length, in characters.
    """
    chosen = [secrets.choice(kind) for kind in _KINDS]
    everything = "".join(_KINDS)
    chosen += [secrets.choice(everything) for _ in range(max(_LENGTH, at_least) - len(chosen))]
    secrets.SystemRandom().shuffle(chosen)
    return "".join(chosen)
