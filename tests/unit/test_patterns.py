"""Patterns whose groups are repeated possessively match alike on every Python."""

from __future__ import annotations

import re

import pytest

from custctl.patterns import atomic, compiled


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("(?:a|b)*+c", "(?>(?:a|b)*)c"),
        ("((a)++b)?+", "(?>((?>(a)+)b)?)"),
        (r"(?:[^)*+]++|\)*+)*+", r"(?>(?:[^)*+]++|\)*+)*)"),
        ("[]()*+]++(x){2,3}+", "[]()*+]++(?>(x){2,3})"),
        ("a*+b++c?+[d]*+(e)+(f)*", "a*+b++c?+[d]*+(e)+(f)*"),
    ],
)
def test_a_possessive_group_becomes_an_atomic_one(pattern: str, expected: str) -> None:
    assert atomic(pattern) == expected


@pytest.mark.parametrize("make", [compiled, lambda pattern: re.compile(atomic(pattern))], ids=["compiled", "atomic"])
@pytest.mark.parametrize(
    ("pattern", "text", "end"),
    [
        # The first two are those of the reports; some releases of Python say 1 and 3.
        ("(?:ab?c)*+", "a", 0),
        ("(?:(?!C).)++", "ABC", 2),
        ("(?:'[^']*+'|-(?!-))*+", "'a'--'b'", 3),
        ("(?:[^/]++|/(?!\\*))*+/\\*", "a/b/*", 5),
    ],
)
def test_a_repetition_that_fails_half_way_takes_nothing(make: object, pattern: str, text: str, end: int) -> None:
    found = make(pattern).match(text)  # type: ignore[operator]
    assert found is not None
    assert found.end() == end
