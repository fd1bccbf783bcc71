"""What a search has to find, by brute force over rows: no index and no engine takes part."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from hypothesis import strategies as st

from custctl.customers import loosely, searching
from custctl.customers.pages import FOUND_IN
from custctl.customers.queries import Mode
from custctl.engines.sought import REVERSED
from custctl.engines.sqlite.lanes import lane
from custctl.support.letters import folded

_NAMES = ("first_name", "last_name", "company", "city")
JOINERS = "'’ʼ`´-‐‑"
_SPELLED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})


def is_old(char: str) -> bool:
    """Tell whether a text may hold a character, and every version of Unicode that a server or a Python has knows it."""
    return unicodedata.ucd_3_2_0.category(char) not in ("Cn", "Cc", "Cs") and unicodedata.normalize("NFC", char) == char


@cache
def texts() -> st.SearchStrategy[str]:
    """Return texts that a field may hold, in the letters of names and their misspellings, and in any other."""
    old = list(filter(is_old, map(chr, range(0x20, 0x110000))))
    typed = st.sampled_from("aZ0 -'’`äÖøßŁłıİæÞςΣёЁ＠（0)+.\u0301\u200d\u00ad") | st.sampled_from(old)
    return st.text(typed, max_size=12).map(lambda text: unicodedata.normalize("NFC", text))


def words(text: str) -> set[str]:
    """Return the words of a folded text."""
    return {word for word in re.split(r"[\x01-\x2f\x3a-\x60\x7b-\x7f]+", text) if word}


def document(row: Mapping[str, Any], own: Sequence[str] = ()) -> tuple[str, str]:
    """Return the folded fields of a row, and what else it is found by."""
    values = [row.get(name) or "" for name in (*FOUND_IN, *own)]
    names = " ".join(row.get(name) or "" for name in (*_NAMES, *own))
    digits = searching.phone_digits(row.get("phone") or "")
    more = [
        names.translate(dict.fromkeys(map(ord, JOINERS))),
        names.lower().translate(_SPELLED),
        *(digits[at:] for at in range(4)),
    ]
    return "\n".join(map(folded, (*values, digits))), f"{' '.join(map(folded, more))} {REVERSED}{digits[::-1]}"


def found(rows: Iterable[Mapping[str, Any]], text: str, mode: Mode = "words", own: Sequence[str] = ()) -> list[int]:
    """Return the ids of the rows that a search finds, in its order."""
    text = unicodedata.normalize("NFC", text).strip()
    email = text.lower() if "@" in text else None
    if mode == "words":
        document_of = {row["id"]: (*document(row, own), row["email"]) for row in rows}
        for needs in (searching.read(text), loosely.read(text)):
            placed = [(lane(json.dumps(needs), email, *of), at) for at, of in document_of.items()] if needs else []
            hits = [at for of, at in sorted(placed) if of >= 0]
            if hits or not needs:
                return hits
        return []
    texts = searching.parts(text)
    return sorted(row["id"] for row in rows if any(each in document(row, own)[0].split("\n")[at]
                  for each in texts for at in range(len(FOUND_IN) + 1 + len(own))))  # fmt: skip
