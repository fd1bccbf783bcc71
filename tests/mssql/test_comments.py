"""Question marks in scripts: Microsoft's driver takes one for a parameter where it loses track of a comment."""

from __future__ import annotations

import pytest

from custctl.engines.mssql.tokens import with_flat_comments

KEPT = (
    "SELECT N'a?/* '' */?' /* one ? */ -- two /* ?\n, [a?/*] = 1, \"b?/*\" = 2",
    "SELECT 1 -- don't /* /* ?\n",
    "SELECT 4 / 2 - 1 /**/ /*/ ? */",
    "SELECT 'never closed /* /* ? */",
)
MADE_FLAT = {
    "SELECT 1 /* a /* b */ ? */": "SELECT 1 /* a (  b  ) ? */",
    "/* /* */ don't? */ SELECT 'a?'": "/* (   ) don't? */ SELECT 'a?'",
    "/*/* ?*/*/ SELECT '/* /* */ ? */'": "/*(  ? )*/ SELECT '/* /* */ ? */'",
    "/*/*/*/ x */*/*/ SELECT 1 AS [/*?]": "/*( ( / x  ) )*/ SELECT 1 AS [/*?]",
}


@pytest.mark.parametrize("text", KEPT)
def test_what_the_driver_reads_as_the_server_does_is_kept(text: str) -> None:
    assert with_flat_comments(text) == text


@pytest.mark.parametrize("text", MADE_FLAT)
def test_a_comment_within_another_one_is_made_flat(text: str) -> None:
    flat = with_flat_comments(text)
    assert flat == MADE_FLAT[text]
    assert len(flat) == len(text)
    assert with_flat_comments(flat) == flat
