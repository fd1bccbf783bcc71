"""Word search on SQLite, with two full-text indexes on the view `custctl_searched`, or on the view alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from custctl.engines.sought import Hits, Need, Part, Sought, Term, whole
from custctl.engines.sqlite.folding import trigram_query

_TRIGRAM: Final = 3


def hits(sought: Sought, *, indexed: bool) -> Hits:
    """Return the query for a page of a search for words.

    Args:
        indexed: whether the full-text indexes exist.
    """
    values: dict[str, Any] = {"lane": sought.lane, "after": sought.after, "most": sought.limit, "email": sought.email}
    if not indexed:
        values["needs"] = json.dumps(sought.needs)
        text = (
            "SELECT lane, id FROM (SELECT custctl_lane(?, ?, s.texts, s.more, c.email) AS lane, s.id"
            " FROM custctl_searched AS s JOIN customer AS c ON c.id = s.id)"
            " WHERE lane > ? OR lane = ? AND id > ? ORDER BY lane, id LIMIT ?"
        )
        return Hits(text, ("needs", "email", "lane", "lane", "after", "most"), values)
    values["exact"], begins = _query(whole(sought.needs)), _query(sought.needs)
    values["further"] = f"({begins}) NOT ({values['exact']})"
    lanes, parameters = [], []
    if sought.email is not None and sought.lane == 0:
        lanes.append("SELECT * FROM (SELECT 0 AS lane, id FROM customer WHERE email = ?)")
        parameters.append("email")
    for lane, query in ((1, "exact"), (2, "further")):
        if lane < sought.lane:
            continue
        text, names = f"SELECT {lane} AS lane, rowid AS id FROM customer_words WHERE customer_words MATCH ?", [query]
        if lane == sought.lane:
            text, names = f"{text} AND rowid > ?", [*names, "after"]
        if sought.email is not None:
            text += " AND rowid <> coalesce((SELECT id FROM customer WHERE email = ?), 0)"
            names.append("email")
        lanes.append(f"SELECT * FROM ({text} ORDER BY rowid LIMIT ?)")
        parameters += [*names, "most"]
    return Hits(f"{' UNION ALL '.join(lanes)} LIMIT ?", (*parameters, "most"), values)


def part_hits(part: Part, *, indexed: bool) -> Hits:
    """Return the query for a page of a search for a part of a field; arguments as for `hits`."""
    values: dict[str, Any] = {f"part_{at}": text for at, text in enumerate(part.texts)}
    held = " OR ".join("instr(t.texts, ?)" for _ in values)
    names = [*values, "after", "most"]
    values |= {"after": part.after, "most": part.limit}
    if not indexed:
        source, key = "custctl_searched AS t", "t.id"
    elif min(map(len, part.texts)) < _TRIGRAM:
        source, key = "customer_words AS t", "t.rowid"
    else:
        source, key = "customer_search AS s JOIN customer_words AS t ON t.rowid = s.rowid", "s.rowid"
        values["trigrams"] = " OR ".join(f"({trigram_query(text)})" for text in part.texts)
        held = f"customer_search MATCH ? AND ({held})"
        names.insert(0, "trigrams")
    text = f"SELECT 0 AS lane, {key} AS id FROM {source} WHERE ({held}) AND {key} > ? ORDER BY {key} LIMIT ?"
    return Hits(text, tuple(names), values)


def _query(needs: Sequence[Need]) -> str:
    return " AND ".join(f"({' OR '.join(map(_tokens, need))})" for need in needs)


def _tokens(each: Sequence[Term]) -> str:
    return f"({' AND '.join(map(_token, each))})"


def _token(term: Term) -> str:
    # A word contains no quotes, because they separate words.
    return f'"{term.text}"{"" if term.whole else "*"}'
