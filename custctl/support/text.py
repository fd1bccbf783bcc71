"""Makes text safe for terminals and spreadsheets.

Three outputs, three rules: `visible` for text that people read (tables, TSV, messages), `guard_formula` for cells
that a spreadsheet may open, and `escape_json` for JSON and YAML, where an escape loses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# C0, DEL and C1 controls, the bidirectional controls and marks, the line and paragraph
# separators, and lone surrogates (undecodable bytes from argv).
_UNSAFE_CLASS = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
UNSAFE = f"[{_UNSAFE_CLASS}]"
"""A pattern for these characters. None of them is printable, so most texts need no search for it."""
_FORMULA = ("=", "+", "-", "@")
_HASH = r"\$argon2[\w$=,+/-]+"
_NAMED = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def _backslash(match: re.Match[str]) -> str:
    char = match.group()
    named = _NAMED.get(char)
    if named is not None:
        return named
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def is_safe(text: str) -> bool:
    """Tell whether a text has nothing that could control a terminal."""
    return text.isprintable() or re.search(UNSAFE, text) is None


def visible(text: str) -> str:
    """Return `text` with everything that could control a terminal as a backslash escape."""
    return text if text.isprintable() else re.sub(UNSAFE, _backslash, text)


def without_hashes(text: str) -> str:
    """Return a message without the password hashes in it, which a trigger's error may quote."""
    return re.sub(_HASH, "$argon2…", text) if "$argon2" in text else text


def escape_json(document: str) -> str:
    """Escape, in the syntax of JSON and YAML, what a serialiser left raw inside quoted strings.

    Line feeds between tokens stay; inside strings the serialiser has already escaped them.
    """
    if document.replace("\n", "").isprintable():
        return document
    return re.sub(UNSAFE, lambda m: m.group() if m.group() == "\n" else f"\\u{ord(m.group()):04x}", document)


def guard_formula(cell: str) -> str:
    """Return the cell with a leading `'` if a spreadsheet would evaluate it, even after leading quotes.

    Only then does removing one quote restore every value exactly.

    Source: OWASP, CSV Injection.
    """
    return "'" + cell if cell.lstrip("'").startswith(_FORMULA) else cell


def unguard_formula(cell: str) -> str:
    """Remove exactly what `guard_formula` added."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA) else cell


def without_text_formula(cell: str) -> str:
    """Return the text of a formula that is nothing but a text: programs write `="0049"` to keep a spreadsheet's zeros."""
    return cell[2:-1].replace('""', '"') if re.fullmatch('="(?:[^"]|"")*"', cell) else cell


def csv_line(cells: Iterable[str], delimiter: str = ",") -> str:
    """Return cells as one line of CSV (RFC 4180), quoted if necessary, with a line feed at the end.

    The csv module of older Pythons leaves a lone carriage return unquoted if lines end with a line feed.
    """
    line = delimiter.join(csv_cell(cell, delimiter) for cell in cells)
    # A single empty cell would be a blank line, which readers skip.
    return (line or '""') + "\n"


def csv_cell(cell: str, delimiter: str = ",") -> str:
    """Return a cell quoted for a line of CSV."""
    if delimiter in cell or '"' in cell or "\n" in cell or "\r" in cell:
        return '"' + cell.replace('"', '""') + '"'
    return cell


def plural(count: int, one: str, many: str) -> str:
    """Return a number with its noun."""
    return f"{count} {one if count == 1 else many}"


def nearest(word: str, known: list[str] | tuple[str, ...], likeness: float = 0.6) -> str | None:
    """Return the known word that `word` probably means, or None.

    Args:
        likeness: how much alike the two must be, from 0 to 1.
    """
    import difflib

    matches = difflib.get_close_matches(word, known, n=1, cutoff=likeness)
    return matches[0] if matches else None
