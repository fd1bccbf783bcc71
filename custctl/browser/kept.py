"""Texts that were typed and are not written yet, where they survive the end of the program."""

from __future__ import annotations


class KeptEdits:
    """x."""
