"""Passwords that nobody knows, for accounts that a provider does not make or release without one."""

from __future__ import annotations

import secrets
import string
from typing import Final

# Far above every provider's minimum, below bcrypt's 72 bytes.
_LENGTH: Final = 48
_KINDS: Final = (string.ascii_lowercase, string.ascii_uppercase, string.digits, "!@#%^*-_=+")


def make_password(at_least: int = 0) -> str:
    """Return a random password with letters of both cases, digits and symbols; it is sent once and then forgotten.

    Args:
        at_least: characters that the provider demands.
    """
    chosen = [secrets.choice(kind) for kind in _KINDS]
    everything = "".join(_KINDS)
    chosen += [secrets.choice(everything) for _ in range(max(_LENGTH, at_least) - len(chosen))]
    secrets.SystemRandom().shuffle(chosen)
    return "".join(chosen)
