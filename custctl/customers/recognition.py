"""Recognising a file by its first bytes: its encoding, or a format that an import does not read."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import IO

from custctl.support.errors import InvalidError, UsageError
from custctl.support.patterns import compiled

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
# A text may begin with the letters of some: `ORCID,email`.
_BINARY = (
    (rb"\x1f\x8b", "compressed with gzip", f"{_DECOMPRESS}, for example with `gunzip`"),
    (rb"BZh[1-9]1AY&SY", "compressed with bzip2", f"{_DECOMPRESS}, for example with `bunzip2`"),
    (rb"\xfd7zXZ\x00", "compressed with xz", f"{_DECOMPRESS}, for example with `unxz`"),
    (rb"\x28\xb5\x2f\xfd", "compressed with Zstandard", f"{_DECOMPRESS}, for example with `unzstd`"),
    (rb"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", f"{_DECOMPRESS}, for example with `7z x`"),
    (rb"Rar!\x1a\x07", "a RAR archive", f"{_DECOMPRESS}, for example with `unrar x`"),
    (rb".{257}ustar[\x00 ]", "a tar archive", f"{_DECOMPRESS}, for example with `tar -xf`"),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (xls)", _SPREADSHEET),
    (
        rb"SQLite format 3\x00",
        "an SQLite database",
        "write the table as CSV first, for example with `sqlite3 -csv -header`",
    ),
    (rb"PAR1\x15", "a Parquet file", "write it as CSV first, for example with DuckDB or pandas"),
    (rb"Obj\x01", "an Avro file", "write it as CSV or JSON lines first"),
    (rb"ORC[^\t -~]", "an ORC file", "write it as CSV first, for example with DuckDB or pandas"),
    (rb"ARROW1\x00", "an Arrow file", "write it as CSV first, for example with DuckDB or pandas"),
    (rb"%PDF-", "a PDF document", "ask for the data as CSV: a PDF holds pages, not rows"),
    (rb"\{\\rtf", "an RTF document", _SPREADSHEET),
    (rb"PGDMP\x01", "a dump of PostgreSQL", "restore it, and export the table as CSV"),
    (rb"\x89PNG", "an image", "ask for the data as CSV"),
    (rb"\xff\xd8\xff", "an image", "ask for the data as CSV"),
)
_ZIP = (
    (b"opendocument.spreadsheet", "an OpenDocument spreadsheet (ods)", _SPREADSHEET),
    (b"opendocument.text", "an OpenDocument text (odt)", "ask for the data as CSV"),
    (b"ppt/presentation", "a PowerPoint presentation (pptx)", "ask for the data as CSV"),
    (b"word/document", "a Word document (docx)", "ask for the data as CSV"),
    (b"Index/Document.iwa", "a Numbers spreadsheet", "export it from Numbers as CSV"),
    (b"[Content_Types].xml", "an Excel workbook (xlsx)", _SPREADSHEET),
    (b"xl/", "an Excel workbook (xlsx)", _SPREADSHEET),
    (b"_rels/", "an Excel workbook (xlsx)", _SPREADSHEET),
    (b"", "a ZIP archive", f"{_DECOMPRESS}, for example with `unzip`"),
)
# Comments, a client's own commands and settings precede the first statement that says what it is.
_SQL_SCRIPT = (
    r"(?:--[^\r\n]*+\s++|/\*[^*]*+\*/;?\s*+|\\\w[^\r\n]*+\s++|(?:USE|GO)\b[^\r\n]*+\s++"
    r"|(?:SET|SELECT|PRAGMA|BEGIN)\b[^;\r\n]*+;?\s++)*+"
    r"(?:INSERT (?:INTO|\[)|(?:CREATE|DROP|ALTER) (?:TABLE|TYPE|SCHEMA|EXTENSION|FUNCTION|DATABASE)\b|COPY \S+ )"
)
# What some services write before the list.
_LIST = (
    r'\{\s*(?:"(?:object|url|has_more|total\w*|count|done|next\w*|schemas)"\s*:\s*(?:"[^"]*+"|\[[^\]]*+\]|[\w.-]++)\s*,\s*)*+'
    r'"(items|data|customers|contacts|users|people|records|results|rows|value|Resources)"\s*:\s*\[\s*(?:\{|\])'
)
_TEXTS = (
    (r"<\?xml", "XML", _SPREADSHEET),
    # A tag, and no delimiter before the next one; a program may have written a notice in HTML above its CSV.
    (r"<(?!br?\b)[!/a-z][^<>]*+>[^<,;\t|]*+<", "HTML or XML", _SPREADSHEET),
    (r"-----BEGIN PGP", "an encrypted or signed file", "decrypt it first, for example with `gpg --decrypt`"),
    (r"<(?:!doctype|html|head|meta|style|body|table|div|script)\b", "an HTML page", _SPREADSHEET),
    (r"BEGIN:VCARD", "a vCard file", "export the contacts as CSV"),
    (r"BEGIN:VCALENDAR", "an iCalendar file", "export the contacts as CSV"),
    (r"(?:#[^\r\n]*+\s++|version:[^\r\n]*+\s++)*+dn::? ", "an LDIF file", "export the entries as CSV"),
    (
        r"(?:From (?:-|[^\s,]+@)|(?:From|To|Date|Return-Path|Received|Delivered-To|MIME-Version): [^\r\n]*\s+[A-Z][A-Za-z-]+: )",
        "an email message",
        "ask for the data as CSV",
    ),
    (
        _SQL_SCRIPT,
        "an SQL script",
        "run it in a database of its own, and export the table as CSV",
    ),
    (
        r"%YAML|---\s*[\r\n]|items:(?: \[\])?\s*[\r\n]|\w+:\s*[\r\n]\s*- |-\s+\"?\w+\"?: ",
        "YAML",
        "export with `-o csv` or `-o jsonl`",
    ),
    (
        _LIST,
        "one JSON document with a list of items",
        r"write one object on each line: `-o jsonl` does, and `jq -c '.\1[]'` converts the file",
    ),
    (
        r"\[\s*(?:[{\"\r\n]|\[\s*\"|\]\s*\Z|\Z)",
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
        if re.match(beginning, start, re.DOTALL):
            raise InvalidError(f"the file is {what}, not CSV or JSON lines", hint=hint)
    if start.startswith(b"PK\x03\x04"):
        what, hint = next(told for name, *told in _ZIP if name in start)
        raise InvalidError(f"the file is {what}, not CSV or JSON lines", hint=hint)
    text = start.decode(encoding.name, "ignore").removeprefix("\ufeff").lstrip()
    for pattern, what, hint in _TEXTS:
        found = compiled(pattern, re.IGNORECASE).match(text)
        if found is not None:
            raise InvalidError(f"the file is {what}, not CSV or JSON lines", hint=found.expand(hint))
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
