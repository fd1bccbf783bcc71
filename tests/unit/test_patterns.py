"""Patterns whose groups are repeated possessively match alike on every Python."""

from __future__ import annotations

import ast
import re
import sys
from string import ascii_letters, digits

import pytest

from custctl.engines.postgresql import tokens as postgresql_tokens
from custctl.engines.sqlite import tokens as sqlite_tokens
from custctl.support.patterns import atomic, compiled
from tests.conftest import REPOSITORY


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


def test_no_pattern_with_a_possessive_group_is_compiled_past_this_module() -> None:
    possessive = re.compile(r"\)(?:[*+?]|\{[0-9,]+\})\+")
    for path in (REPOSITORY / "custctl").rglob("*.py"):
        if path.name == "patterns.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re."):
                assert not possessive.search(ast.unparse(node)), f"{path}:{node.lineno}"


@pytest.mark.parametrize(
    ("written", "ascii_ones"),
    [
        (sqlite_tokens.WORD, f"{digits}{ascii_letters}_$"),
        (postgresql_tokens.WORD_START, f"{ascii_letters}_"),
        (postgresql_tokens.WORD_REST, f"{digits}{ascii_letters}_$"),
    ],
)
def test_a_word_holds_these_characters_and_all_beyond_ascii(written: str, ascii_ones: str) -> None:
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    assert "".join(re.findall(written, every)) == "".join(sorted(ascii_ones)) + every[0x80:]
