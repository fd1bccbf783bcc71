"""The lane of a row for a search for words, on a SQLite without full-text search; see `engines.sought`."""

from __future__ import annotations

import json
from collections.abc import Callable


def lane(needs: str, email: str | None, texts: str, more: str, has: str) -> int:
    """Return the lane of a row, or -1 if it does not match; an SQL function.

    Args:
        needs: the needs of the search, as JSON.
        has: the email of the row.
    """
    if email is not None and email == has:
        return 0
    wanted = json.loads(needs)
    there = {*_words(texts), *_words(more)}

    def meets(is_there: Callable[[str, bool], bool]) -> bool:
        return all(any(all(is_there(*term) for term in each) for each in need) for need in wanted)

    def begins(text: str, is_whole: bool) -> bool:
        return text in there or (not is_whole and any(word.startswith(text) for word in there))

    if meets(lambda text, _: text in there):
        return 1
    return 2 if meets(begins) else -1


def _words(text: str) -> list[str]:
    return "".join(char if char.isalnum() or char > "\x7f" else " " for char in text).split(" ")
