"""What a search has to find, by brute force over rows: no index and no engine takes part."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from custctl.customers import searching
from custctl.customers.pages import FOUND_IN
from custctl.customers.queries import Mode
from custctl.engines.sought import REVERSED
from custctl.engines.sqlite.searching import lane
from custctl.support.letters import folded

_NAMES = ("first_name", "last_name", "company", "city")
_JOINERS = str.maketrans("", "", "'’ʼ`´-‐‑")
_SPELLED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})


def document(row: Mapping[str, Any], own: Sequence[str] = ()) -> tuple[str, str]:
    """Return the folded fields of a row, and what else it is found by."""
    values = [row.get(name) or "" for name in (*FOUND_IN, *own)]
    names = " ".join(row.get(name) or "" for name in (*_NAMES, *own))
    digits = searching.phone_digits(row.get("phone") or "")
    more = [names.translate(_JOINERS), names.lower().translate(_SPELLED), *(digits[at:] for at in range(4))]
    return "\n".join(map(folded, (*values, digits))), f"{' '.join(map(folded, more))} {REVERSED}{digits[::-1]}"


def found(rows: Iterable[Mapping[str, Any]], text: str, mode: Mode = "words", own: Sequence[str] = ()) -> list[int]:
    """Return the ids of the rows that a search finds, in its order."""
    text = unicodedata.normalize("NFC", text).strip()
    email = text.lower() if "@" in text else None
    if mode == "words":
        needs = searching.read(text)
        document_of = {row["id"]: (*document(row, own), row["email"]) for row in rows}
        placed = [(lane(json.dumps(needs), email, *of), at) for at, of in document_of.items()] if needs else []
        return [at for of, at in sorted(placed) if of >= 0]
    texts = searching.parts(text)
    return sorted(row["id"] for row in rows if any(each in document(row, own)[0].split("\n")[at]
                  for each in texts for at in range(len(FOUND_IN) + 1 + len(own))))  # fmt: skip
