"""What search compares by is the same on PostgreSQL, whatever its collations, as on SQLite."""

from __future__ import annotations

import unicodedata

import pytest

from custctl.engines.sqlite.folding import fold
from tests.inside import inside
from tests.servers.installations import installations
from tests.servers.projects import EngineProject


@pytest.mark.parametrize("engine_project", list(installations()), indirect=True)
def test_every_letter_is_folded_as_elsewhere(engine_project: EngineProject) -> None:
    inside(engine_project)
    query = (
        "SELECT chr(i), custctl_fold(chr(i)) FROM generate_series(1, 1114111) AS i WHERE i NOT BETWEEN 55296 AND 57343"
    )
    folded = {char: found for char, found in engine_project.sql(query) if _is_old(char)}
    assert len(folded) > 90_000
    assert {char: found for char, found in folded.items() if found != fold(char)} == {}
    # Beside other letters, and not by what stands around them.
    ((found,),) = engine_project.sql("SELECT custctl_fold('İNCİ ΟΔΥΣΣΕΥΣ ςΣ straße STRASSE')")
    assert found == fold("İNCİ ΟΔΥΣΣΕΥΣ ςΣ straße STRASSE") == "İncİ οδυσσευσ σσ straße strasse"


def _is_old(char: str) -> bool:
    """Tell whether a text may hold a character, and every version of Unicode that a server or a Python has knows it."""
    return unicodedata.ucd_3_2_0.category(char) not in ("Cn", "Cc") and unicodedata.normalize("NFC", char) == char
