"""The lines that a user typed into a customer's document: all that is kept of an edit that was not written."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence

# In a document that is open in an editor, and in a saved edit, here and in the browser.
_VERSION = re.compile(r"^# (?:.*, version|version:) (\S+)$", re.MULTILINE)
_TITLE = re.compile(r"# (?:customer \d+|a new customer) of .*")
_FIELD = re.compile(r"(\w+)[ \t]*:")


def title(customer_id: int, profile: str, version: str) -> str:
    """Return the first comment of a document: the customer, profile and version it was made from."""
    return f"customer {customer_id} of {profile}, version {version}"


def version_of(text: str) -> str | None:
    """Return the version that a document was made from; None if the document no longer says."""
    found = _VERSION.search(text)
    return found[1] if found else None


def typed_lines(text: str, shown: Container[str]) -> list[str]:
    """Return the lines of an edited text that were not shown, without our own comments."""
    return [line for line in text.splitlines() if line.strip() and line not in shown and not _is_ours(line)]


def _is_ours(line: str) -> bool:
    return bool(_VERSION.fullmatch(line) or _TITLE.fullmatch(line))


def lines_of(document: str, fields: Container[str]) -> list[str]:
    """Return the lines of a document that hold the given fields."""
    return [line for line in document.splitlines() if (found := _FIELD.match(line)) and found[1] in fields]


def overlaid(document: str, typed: Sequence[str]) -> str:
    """Return a document with typed lines in place of its own, each below the field's current value."""
    groups = list(_grouped(typed))
    lines: list[str] = []
    for line in document.splitlines():
        found = _FIELD.match(line)
        mine = [group for name, group in groups if found is not None and name == found[1]]
        if mine and found is not None:
            lines.append(f"# now: {line[found.end() :].strip()}".rstrip())
            lines += [part for group in mine for part in group]
        else:
            lines.append(line)
    ours = {found[1] for line in document.splitlines() if (found := _FIELD.match(line))}
    lines += [part for name, group in groups if name not in ours for part in group]
    return "\n".join(lines) + "\n"


def typed_values(typed: Sequence[str]) -> Mapping[str, str]:
    """Return the typed values by field, as the lines have them."""
    return {name: "\n".join(group)[_end(group[0]) :].strip() for name, group in _grouped(typed) if name is not None}


def _end(line: str) -> int:
    found = _FIELD.match(line)
    return found.end() if found else 0


def _grouped(typed: Iterable[str]) -> Iterable[tuple[str | None, list[str]]]:
    """Yield each field's line with its continuation lines; the name is None for lines before any field."""
    name: str | None = None
    group: list[str] = []
    for line in typed:
        found = _FIELD.match(line)
        if found is not None:
            if group:
                yield name, group
            name, group = found[1], []
        group.append(line)
    if group:
        yield name, group
