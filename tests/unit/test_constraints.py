"""What a check says of the length of a text."""

from __future__ import annotations

import pytest

from custctl.engines.constraints import longest


@pytest.mark.parametrize(
    ("condition", "most"),
    [
        ("CHECK (char_length(tier) >= 1 AND char_length(tier) <= 20)", 20),
        ("CHECK (length(tier::text) < 20) NOT VALID", 19),
        ('CHECK (length("tier") BETWEEN 1 AND 8)', 8),
        ("CHECK (typeof(tier) IN ('text', 'null') AND (tier IS NULL OR length(tier) <= 8))", 8),
        ("CHECK (length(tier) <= 8 AND length(tier) <= 5)", 5),
        ("CHECK (length(tier) <= 8 OR points = 3)", None),
        ("CHECK (NOT length(tier) <= 8)", None),
        ("CHECK ((length(tier) <= 8) = (tier > 'a'))", None),
        ("CHECK (length(other_tier) <= 8)", None),
        ("CHECK (octet_length(tier) <= 8)", None),
        ("CHECK (length(tier) >= 8)", None),
    ],
)
def test_a_length_is_known_where_the_check_simply_says_it(condition: str, most: int | None) -> None:
    assert longest(condition, "tier") == most
