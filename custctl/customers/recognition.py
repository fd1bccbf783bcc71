"""Recognising a file by its first bytes: its encoding, or a format that an import does not read."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import IO

from custctl.support.errors import InvalidError, UsageError

_SAMPLE = 4096  # bytes

_MARKS = (
    # UTF-32 first: its mark begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NO_FILES = {"idna", "punycode", "undefined", "unicode-escape", "unicode_escape", "raw-unicode-escape"}

_SPREADSHEET = "open it in a spreadsheet program and save it as `CSV UTF-8`"
_DECOMPRESS = "decompress it first"
_BINARY = (
    (b"\x1f\x8b", "compressed with gzip", f"{_DECOMPRESS}, for example with `gunzip`"),
    (b"BZh", "compressed with bzip2", f"{_DECOMPRESS}, for example with `bunzip2`"),
    (b"\xfd7zXZ\x00", "compressed with xz", f"{_DECOMPRESS}, for example with `unxz`"),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard", f"{_DECOMPRESS}, for example with `unzstd`"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", f"{_DECOMPRESS}, for example with `7z x`"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (xls)", _SPREADSHEET),
    (
        b"SQLite format 3\x00",
        "an SQLite database",
        "write the table as CSV first, for example with `sqlite3 -csv -header`",
    ),
    (b"PAR1", "a Parquet file", "write it as CSV first, for example with DuckDB or pandas"),
    (b"Obj\x01", "an Avro file", "write it as CSV or JSON lines first"),
    (b"ORC", "an ORC file", "write it as CSV first, for example with DuckDB or pandas"),
    (b"ARROW1", "an Arrow file", "write it as CSV first, for example with DuckDB or pandas"),
    (b"%PDF-", "a PDF document", "ask for the data as CSV: a PDF holds pages, not rows"),
    (b"{\\rtf", "an RTF document", _SPREADSHEET),
    (b"\x89PNG", "an image", "ask for the data as CSV"),
    (b"\xff\xd8\xff", "an image", "ask for the data as CSV"),
)
_TEXTS = (
    (r"<\?xml", "XML", _SPREADSHEET),
    (r"<(?:!doctype|html|head|meta|style|body|table|div|script)\b", "an HTML page", _SPREADSHEET),
    (r"BEGIN:VCARD", "a vCard file", "export the contacts as CSV"),
    (r"%YAML|---\s*[\r\n]|items:\s|- \w+: ", "YAML", "export with `-o csv` or `-o jsonl`"),
    (
        r'\{\s*"items"\s*:\s*\[',
        "one JSON document with a list of items",
        "write one object on each line: `-o jsonl` does, and `jq -c '.items[]'` converts the file",
    ),
    (
        r"\[\s*(?:[{\"\r\n]|\]\s*\Z|\Z)",
        "a JSON array",
        "write one object on each line: `jq -c '.[]'` converts the file",
    ),
    (r"\{\s*[\r\n]", "JSON over several lines", "write one object on each line: `jq -c .` converts the file"),
)
_JSON_LINE = re.compile(r'\s*\{\s*(?:"|\})')


@dataclass(frozen=True, slots=True)
class Encoding:
    """How to decode a file.

    Attributes:
        name: the codec; one that neither reads nor writes a byte order mark.
        mark: whether the file begins with a byte order mark.
    """

    name: str
    mark: bool


def recognise(file: IO[bytes], chosen: str | None = None) -> Encoding:
    """Detect a file's encoding, and rewind it.

    Args:
        chosen: the encoding that the user names.

    Raises:
        InvalidError: the file has a format that an import does not read.
        UsageError: no such encoding.
    """
    start = file.read(_SAMPLE)
    file.seek(0)
    encoding = _named(chosen, start) if chosen is not None else _found(start)
    for beginning, what, hint in _BINARY:
        if start.startswith(beginning):
            raise InvalidError(f"the file is {what}, not CSV or JSON lines", hint=hint)
    if start.startswith(b"PK\x03\x04"):
        what, hint = _zip(start)
        raise InvalidError(f"the file is {what}, not CSV or JSON lines", hint=hint)
    text = start.decode(encoding.name, "ignore").removeprefix("\ufeff").lstrip()
    for pattern, what, hint in _TEXTS:
        if re.match(pattern, text, re.IGNORECASE):
            raise InvalidError(f"the file is {what}, not CSV or JSON lines", hint=hint)
    return encoding


def looks_like_json_lines(text: str) -> bool:
    """Return whether a text begins with a JSON object."""
    return _JSON_LINE.match(text) is not None


def _found(start: bytes) -> Encoding:
    for mark, name in _MARKS:
        if start.startswith(mark):
            return Encoding(name, mark=True)
    return Encoding(_by_zero_bytes(start) or "utf-8", mark=False)


def _named(chosen: str, start: bytes) -> Encoding:
    try:
        "".encode(chosen)  # a codec such as `base64` is not for text, and fails here
        name = codecs.lookup(chosen).name.removesuffix("-sig")
    except (LookupError, ValueError):
        name = ""
    if not name or name in _NO_FILES:
        raise UsageError(
            f"`--encoding {chosen}` is not known", hint="such as utf-8, utf-16, cp1252 (Western Windows) or shift_jis"
        )
    if name in ("utf-16", "utf-32"):
        found = _found(start).name
        name = found if found.startswith(name) else f"{name}-le"
    return Encoding(name, mark=any(start.startswith(mark) for mark, codec in _MARKS if codec == name))


def _by_zero_bytes(start: bytes) -> str | None:
    """Recognise UTF-16 and UTF-32 by the zero bytes of their ASCII characters: delimiters, line ends, addresses."""
    units = len(start) // 4
    if units == 0:
        return None
    zeros = [start[place : units * 4 : 4].count(0) for place in range(4)]
    if zeros[3] == units and zeros[2] * 2 > units:
        return "utf-32-le"
    if zeros[0] == units and zeros[1] * 2 > units:
        return "utf-32-be"
    even, odd = zeros[0] + zeros[2], zeros[1] + zeros[3]
    # Text in other scripts has few zero bytes, all of them on one side; a damaged file has some on both.
    for name, many, few in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        is_latin = many * 3 > units * 2
        if few * 4 < many and (is_latin or (many * 10 > units and not _looks_like_ascii(start))):
            return name
    return None


def _looks_like_ascii(start: bytes) -> bool:
    """Return whether pairs of bytes are often two ASCII characters; in UTF-16 only Chinese and Japanese have some."""
    pairs = sum(
        0x20 <= first < 0x7F and 0x20 <= second < 0x7F for first, second in zip(start[::2], start[1::2], strict=False)
    )
    return pairs * 20 > len(start)


def _zip(start: bytes) -> tuple[str, str]:
    if b"opendocument.spreadsheet" in start:
        return "an OpenDocument spreadsheet (ods)", _SPREADSHEET
    if b"[Content_Types].xml" in start or b"xl/" in start or b"_rels/" in start:
        return "an Excel workbook (xlsx)", _SPREADSHEET
    return "a ZIP archive", f"{_DECOMPRESS}, for example with `unzip`"
