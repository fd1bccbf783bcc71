"""Letters that differ only in case and accents are one, and nothing else is."""

from __future__ import annotations

import unicodedata

import pytest

from custctl.support import letters

SCRIPTS = ("LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "GEORGIAN", "CHEROKEE", "FULLWIDTH LATIN")
ALL = [chr(code) for code in range(0x20, 0x20000) if not 0xD800 <= code < 0xE000]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("ÉCOLE Müller", "ecole muller"),
        ("Łódź Ærø ÞÓR", "lodz æro þor"),
        ("ĐđĦħŦŧ", "ddhhtt"),
        ("ΟΔΥΣΣΕΎΣ ςϑϴ", "οδυσσευσ σϑθ"),
        ("ЙОД Ё", "иод е"),
        ("STRAẞE straße", "straße straße"),
        ("IİıI", "iiii"),
        ("Ａｂ\uff3a", "ａｂ\uff5a"),
        ("ﬁ 日本 한 Ա Ⴀ Ꭰ ꭰ", "ﬁ 日本 한 ա ⴀ ꭰ ꭰ"),
        ("a\u0301", "a\u0301"),
    ],
)
def test_case_and_accents_are_taken_away(text: str, plain: str) -> None:
    assert letters.plain(text) == plain
    assert letters.plain(plain) == plain


def test_every_letter_has_one_plain_form_and_is_a_spelling_of_it() -> None:
    for char in ALL:
        plain = letters.plain(char)
        assert len(plain) == 1
        assert letters.plain(plain) == plain
        [found] = letters.spellings(char)
        assert found == sorted(set(found))
        assert {char, plain} <= set(found)
        assert letters.spellings(plain) == [found]


def test_no_letter_of_the_scripts_that_have_case_or_accents_is_left_out() -> None:
    for char in ALL:
        if unicodedata.name(char, "").startswith(SCRIPTS):
            base, *marks = list(unicodedata.normalize("NFD", char))
            if marks and all(map(unicodedata.combining, marks)):
                assert letters.plain(base) == letters.plain(char)
            if len(lower := char.lower()) == 1:
                assert letters.plain(lower) == letters.plain(char)


def test_a_text_is_found_whatever_its_case_and_accents() -> None:
    assert letters.holds(letters.plain("LODZ"), "aus Łódź") == 1
    assert letters.holds(letters.plain("łódz"), "LODZIA") == 1
    assert letters.holds("lodz", "Lód") == 0
    for value in (None, 5, b"lodz"):
        assert letters.holds("lodz", value) == 0


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("LODZ", "lodz"),
        ("Łódź ÆGIR", "lodz aegir"),
        ("ΟΔΥΣΣΕΎΣ", "οδυσσευσ"),
        ("Straße STRAẞE", "strasse strasse"),
        ("İıI", "iii"),
        ("Ⅷ ﬁ ĳ ŉ", "ⅷ fi ij n"),
        ("O’Brien–Smith\u3000\u00a0x", "o brien smith  x"),
        ("a\u00adb\u200bc\u0301", "abc"),
        ("Ａｂ１！", "ab1!"),
        ("が", "が"),
    ],
)
def test_a_text_as_search_compares_it(text: str, folded: str) -> None:
    assert letters.folded(text) == unicodedata.normalize("NFC", folded)


def test_letters_that_are_typed_as_several() -> None:
    assert letters.typed_as_several("strasse") == [("ß", "ss"), ("ẞ", "ss")]
    assert letters.typed_as_several("aegir") == [("æ", "ae"), ("Æ", "ae")]
    assert letters.typed_as_several("finch") == [("\ufb01", "fi")]
    assert letters.typed_as_several("lodz") == [("\u01c6", "dz"), ("\u01f3", "dz"), ("\u01c4", "dz"), ("\u01f1", "dz")]
    assert letters.typed_as_several("offer") == [("\ufb00", "ff")]
    assert letters.typed_as_several("x") == []
