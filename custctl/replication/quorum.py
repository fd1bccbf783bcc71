"""What synchronous replication proves after the primary is gone: which standbys have every acknowledged write.

Source: https://www.postgresql.org/docs/current/runtime-config-replication.html#GUC-SYNCHRONOUS-STANDBY-NAMES
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

# A name is all but ASCII marks; a class that names the characters up to U+10FFFF takes Python 4 ms to compile.
_TOKEN = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^\x00-@\[-^`\x7b-\x7f][^\x00-#%-,./:-@\[-^`\x7b-\x7f]*|\*|\d+)|([(),]))')
EVERY = "*"
UNNAMED = "walreceiver"
"""The default name of a standby."""


@dataclass(frozen=True, slots=True)
class Synchronous:
    """Which standbys a commit waits for.

    Attributes:
        count: how many of them must have it.
        names: the standbys that count, in lower case; `*` matches any.
        by_priority: whether the first ones of the list are preferred. This proves nothing about past commits: any
            standby of the list may have served, depending on which were attached then.
    """

    count: int
    names: tuple[str, ...]
    by_priority: bool

    def lists(self, name: str | None) -> bool:
        """Tell whether a standby with this name counts."""
        return EVERY in self.names or (name is not None and name.lower() in self.names)


def parse_synchronous(text: str) -> Synchronous | None:
    """Parse `synchronous_standby_names`; None if commits wait for no standby, or the text cannot be parsed.

    Forms: `a, b` (the first of them), `2 (a, b, c)`, `FIRST 2 (a, b, c)` and `ANY 2 (a, b, c)`.
    """
    tokens = _tokens(text)
    if not tokens:
        return None
    words = [word.upper() if kind == "word" else "" for kind, word in tokens]
    by_priority = True
    if words[0] in ("FIRST", "ANY") and len(tokens) > 1 and tokens[1][1].isdigit():
        by_priority = words[0] == "FIRST"
        tokens = tokens[1:]
    count = 1
    if tokens[0][1].isdigit() and len(tokens) > 1 and tokens[1] == ("sign", "("):
        count = int(tokens[0][1])
        if tokens[-1] != ("sign", ")"):
            return None
        tokens = tokens[2:-1]
    names = tuple(word.lower() for kind, word in tokens[::2] if kind != "sign")
    separated = all(token == ("sign", ",") for token in tokens[1::2])
    if not separated or len(tokens) != 2 * len(names) - 1 or count < 1:
        return None
    return Synchronous(count, names, by_priority)


def _tokens(text: str) -> list[tuple[str, str]] | None:
    found: list[tuple[str, str]] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        token = _TOKEN.match(text, at)
        if token is None:
            return None
        quoted, word, sign = token.groups()
        if quoted is not None:
            found.append(("quoted", quoted.replace('""', '"')))
        elif word is not None:
            found.append(("word", word))
        else:
            found.append(("sign", sign))
        at = token.end()
    return found


def holders(wanted: Synchronous, reachable: Collection[str], silent: int) -> bool:
    """Tell whether at least one reachable standby must have every acknowledged write.

    Each acknowledged write is on `count` standbys of the list. If fewer than `count` of the list are silent, a
    reachable one has the write, and so does the reachable one that received the most.

    Args:
        reachable: the names, as the primary knew them, of the standbys that answer.
        silent: the maximum number of standbys of the list that do not answer.
    """
    return silent < wanted.count and any(map(wanted.lists, reachable))


def silent_members(wanted: Synchronous, reachable: Collection[str], silent_nodes: Sequence[str]) -> int:
    """Return the maximum number of standbys of the list that do not answer.

    Args:
        reachable: the names, as the primary knew them, of the standbys that answer.
        silent_nodes: the profile's names of the nodes that do not answer; one of them was the primary.
    """
    others = max(len(silent_nodes) - 1, 0)
    names = [name.lower() for name in reachable]
    if EVERY in wanted.names or UNNAMED in wanted.names or len(set(names)) < len(names):
        # A silent standby may share the name of one that answers.
        return others
    missing = set(wanted.names) - set(names)
    # Most clusters use the same list on every node, so it includes the old primary, which is not a standby. With
    # several silent nodes, which one was the primary is unknown: subtract it only if all of them are listed. It is
    # recognised only by its name in the profile.
    was_listed = bool(silent_nodes) and all(name.lower() in missing for name in silent_nodes)
    return len(missing) - was_listed
