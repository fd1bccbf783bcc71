"""An encoding is named where the bytes are evidence for it, and nowhere else."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custctl.customers.encodings import fitting_encoding

WESTERN = "Jörg Müller, Göttingen; François Lefèvre, Orléans; São Paulo; Øystein Ærø; Ana Muñoz; Weiß; D’Aubigné"
CENTRAL = "Łukasz Wójcik, Łódź; František Šťastný, Plzeň; Gergő Szűcs; Zażółć; Dvořák; Żółty"
RUSSIAN = "Иван Петров, Москва, улица Ленина; Анна Смирнова, Санкт-Петербург; МОСКВА"
GREEK = "Γιώργος Παπαδόπουλος, Αθήνα; Μαρία Νικολάου, Θεσσαλονίκη"
JAPANESE = "佐藤 健, 東京都新宿区; 鈴木 ミカ, カタカナ; さくら"
HEBREW = "משה כהן, ירושלים; יוסף לוי, תל אביב"
THAI = "สมชาย ใจดี, กรุงเทพ; สมหญิง รักไทย, เชียงใหม่"
CHINESE = "王小明, 北京市朝阳区; 李华, 上海市浦东新区; 张伟"


def found(data: bytes, assumed: str = "utf-8") -> str | None:
    named = fitting_encoding(io.BytesIO(data), assumed)
    return named[0] if named is not None else None


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (WESTERN, "cp1252"), (WESTERN, "mac_roman"), (WESTERN.replace("’", "'"), "cp850"), ("Jörg", "cp1252"),
        ("“Café” – 5 €", "cp1252"), (CENTRAL, "cp1250"), (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"), (GREEK, "cp1253"), (JAPANESE, "cp932"), ("山田,太郎", "cp932"), (HEBREW, "cp1255"),
    ],
)  # fmt: skip
def test_what_reads_as_words_is_named(text: str, encoding: str) -> None:
    assert found(f"email,name\na@x.com,{text}\n".encode(encoding)) == encoding


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (JAPANESE, "euc_jp"),
        (CHINESE, "gb18030"),
        (CHINESE, "big5"),
        (RUSSIAN, "cp866"),
        (THAI, "cp874"),
        ("plain", "ascii"),
        ("Jörg", "cp850"),
        ("Jörg", "mac_roman"),
    ],
)
def test_what_does_not_is_not(text: str, encoding: str) -> None:
    assert found(text.encode(encoding, "ignore")) is None


def test_a_file_that_is_utf8_in_part_is_not_another_one() -> None:
    assert found(f"{WESTERN}\n".encode() + b"J\xf6rg\n") is None
    assert found(WESTERN.encode("cp1252") + "\nJörg".encode()) is None


def test_the_encoding_that_does_not_fit_is_not_named_again() -> None:
    assert found(WESTERN.encode("cp1252"), "cp1252") != "cp1252"
    assert found(WESTERN.encode(), "ascii") == "utf-8"
    assert found(WESTERN.encode(), "utf-8") is None


@given(st.binary())
def test_any_bytes_are_looked_at(data: bytes) -> None:
    found(data)
