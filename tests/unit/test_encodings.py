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
# Enough of each for what is frequent there to show.
KOREAN = "김민준,서울특별시 강남구 테헤란로\n이서연,부산광역시 해운대구\n박도윤,대구광역시 수성구\n최지우,인천광역시 남동구\n"
SIMPLIFIED = (
    "王小明,北京市朝阳区建国路\n李华,上海市浦东新区世纪大道\n张伟,广州市天河区体育西路\n陈静,深圳市南山区科技园\n"
    "刘洋,杭州市西湖区文三路\n赵敏,成都市武侯区人民南路\n"
)
TRADITIONAL = (
    "王小明,臺北市大安區忠孝東路\n李淑芬,新北市板橋區文化路\n陳建宏,臺中市西屯區臺灣大道\n林怡君,高雄市左營區博愛路\n"
    "黃志明,桃園市中壢區中央西路\n"
)
EUC_JAPANESE = (
    "佐藤健,サトウ ケン,東京都新宿区西新宿\n鈴木美香,スズキ ミカ,大阪府大阪市北区梅田\n高橋さくら,タカハシ サクラ,"
    "神奈川県横浜市西区みなとみらい\n"
)


def found(data: bytes, assumed: str = "utf-8") -> str | None:
    named = fitting_encoding(io.BytesIO(data), assumed)
    return named[0] if named is not None else None


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (WESTERN, "cp1252"), (WESTERN, "mac_roman"), (WESTERN.replace("’", "'"), "cp850"), ("Jörg", "cp1252"),
        ("“Café” – 5 €", "cp1252"), (CENTRAL, "cp1250"), (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"), (GREEK, "cp1253"), (JAPANESE, "cp932"), ("山田,太郎", "cp932"), (HEBREW, "cp1255"),
        (KOREAN, "cp949"), (SIMPLIFIED, "gb18030"), (TRADITIONAL, "cp950"), (EUC_JAPANESE, "euc_jp"),
        (EUC_JAPANESE, "cp932"),
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
        (KOREAN[:40], "cp949"),
        (RUSSIAN * 20, "iso8859_5"),
        ("ｻﾄｳ ｹﾝ,ｽｽﾞｷ ﾐｶ,ﾀｶﾊｼ ｻｸﾗ,ﾜﾀﾅﾍﾞ ﾕｳﾀ,ﾔﾏﾓﾄ ﾊﾅｺ,ｺﾊﾞﾔｼ ｼﾞﾛｳ\n" * 5, "cp932"),
        (THAI * 20, "cp874"),
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
