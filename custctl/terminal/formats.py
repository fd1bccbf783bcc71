"""The output formats, and a value in each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, TextIO

from custctl.support import exact_json
from custctl.support.cells import cell_text
from custctl.support.text import csv_line, escape_json, guard_formula, visible


class Format(StrEnum):
    """The output formats."""

    AUTO = "auto"
    TABLE = "table"
    TSV = "tsv"
    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    YAML = "yaml"


def line_writer(stream: TextIO, chosen: Format) -> Callable[[Sequence[str]], object]:
    """Return what writes a row of cells as a line of CSV or TSV."""
    if chosen is Format.CSV:
        return lambda cells: stream.write(csv_line(cells))
    return lambda cells: stream.write("\t".join(cells) + "\n")


def plain(value: Any) -> str:
    """Return a value as a cell of TSV."""
    return visible(cell_text(value))


def guarded(value: Any) -> str:
    """Return a value as a cell of CSV that no spreadsheet runs as a formula."""
    cell = cell_text(value)
    # A negative number is not a formula.
    return cell if isinstance(value, (int, float)) else guard_formula(visible(cell))


def to_json(value: Any, indent: int | None = None) -> str:
    """Return a value as JSON, with control characters escaped."""
    return escape_json(exact_json.dumps(value, indent=indent))


def to_yaml(value: Any) -> str:
    """Return a value as YAML, with control characters escaped."""
    from decimal import Decimal

    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes text that needs escapes: only double-quoted scalars support them."""

    def string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if visible(text) == text else '"')

    def number(dumper: yaml.SafeDumper, exact: Decimal) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:float", str(exact))

    Dumper.add_representer(str, string)
    Dumper.add_representer(exact_json.Text, string)
    Dumper.add_representer(Decimal, number)
    return escape_json(yaml.dump(value, Dumper=Dumper, allow_unicode=True, sort_keys=False, width=2**31))
