"""What search compares by is the same on PostgreSQL, whatever its collations, as on SQLite."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custctl.engines.sqlite.folding import fold
from custctl.support.letters import folded
from tests import searches
from tests.inside import inside
from tests.servers.installations import installations
from tests.servers.projects import EngineProject


@pytest.mark.parametrize("engine_project", list(installations()), indirect=True)
def test_letters_and_texts_are_folded_as_elsewhere(engine_project: EngineProject) -> None:
    inside(engine_project)
    query = (
        "SELECT chr(i), custctl_fold(chr(i)), custctl_plain(chr(i)) FROM generate_series(32, 195103) AS i"
        " WHERE i NOT BETWEEN 55296 AND 57343"
    )
    found = {char: forms for char, *forms in engine_project.sql(query) if searches.is_old(char)}
    assert len(found) > 90_000
    assert {char: forms for char, forms in found.items() if forms != [fold(char), folded(char)]} == {}
    # Beside other letters, and not by what stands around them.
    ((one,),) = engine_project.sql("SELECT custctl_fold('İNCİ ΟΔΥΣΣΕΥΣ ςΣ straße STRASSE')")
    assert one == fold("İNCİ ΟΔΥΣΣΕΥΣ ςΣ straße STRASSE") == "İncİ οδυσσευσ σσ straße strasse"

    @settings(max_examples=5)
    @given(st.lists(searches.texts(), min_size=100, max_size=200))
    def any_text_too(texts: list[str]) -> None:
        listed = ", ".join(f"({at}, '{text.replace(chr(39), chr(39) * 2)}')" for at, text in enumerate(texts))
        rows = engine_project.sql(f"SELECT custctl_plain(t) FROM (VALUES {listed}) AS v (at, t) ORDER BY at")
        assert [row[0] for row in rows] == [folded(text) for text in texts]

    any_text_too()
