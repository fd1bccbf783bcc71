"""Values as cells of a table, TSV or CSV."""

from __future__ import annotations

from typing import Any

from custctl.support import exact_json
from custctl.support.text import escape_json


def cell_text(value: Any) -> str:
    """Return a value as text: None is empty, and a JSON value is JSON whose controls are escaped."""
    if value is None:
        return ""
    if isinstance(value, str) and not isinstance(value, exact_json.Text):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    # A tuple contains names; a list is a JSON value.
    if isinstance(value, tuple) and all(isinstance(part, str) and "," not in part for part in value):
        return ",".join(value)
    if isinstance(value, (dict, list, tuple, exact_json.Text)):
        return escape_json(exact_json.dumps(value))
    return str(value)
