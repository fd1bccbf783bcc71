"""A field's name in an option: as it is, or in double quotes, so that it can hold what the option has a meaning for."""

from __future__ import annotations

import re
from collections.abc import Iterable

from custctl.support.text import nearest


def split_quoted(text: str, before: str) -> tuple[str, str]:
    """Return the name in double quotes that a text begins with, and the rest; without quotes, an empty name.

    A quote in the name is doubled.

    Args:
        before: the characters that may follow the name.
    """
    found = re.match(r'"((?:[^"]|"")+)"', text)
    rest = text[found.end() :] if found is not None else text
    if found is None or (rest and rest[0] not in before):
        return "", text
    return found[1].replace('""', '"'), rest


def field_name(text: str) -> str:
    """Return the name in an option that takes nothing else."""
    quoted, rest = split_quoted(text, "")
    return quoted or rest


def field_names(text: str) -> list[str]:
    """Return the names in an option that takes several, separated by commas."""
    names = []
    while text := text.lstrip().removeprefix(",").lstrip():
        name, text = split_quoted(text, ",")
        if not name:
            name, comma, text = text.partition(",")
            name, text = name.strip(), comma + text
        names += [name] if name else []
    return names


def sorted_by(sort: str) -> tuple[str, bool]:
    """Return the field of a sort such as `-city`, and whether it is descending."""
    return field_name(sort.removeprefix("-")), sort.startswith("-")


def in_option(name: str) -> str:
    """Return a name as options take it, in quotes if it needs them."""
    is_plain = re.search(r'^[-\s"]|[=!<>~?,]|\s$', name) is None
    return name if is_plain else '"' + name.replace('"', '""') + '"'


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return the hint for a field that does not exist: the name that it resembles, or all names."""
    names = list(known)
    close = nearest(name, names)
    return f"did you mean `{in_option(close)}`?" if close else f"fields: {', '.join(map(in_option, names))}"
