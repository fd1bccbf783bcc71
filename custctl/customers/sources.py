"""The formats that an import reads."""

from __future__ import annotations

from typing import IO

from custctl.customers.csv_records import Csv
from custctl.customers.json_records import JsonLines
from custctl.customers.records import Reading, Source


def open_source(file: IO[bytes], reading: Reading) -> Source:
    """Return the source for a file.

    Raises:
        InvalidError: no header, or none that matches `email`.
        UsageError: a mapped header does not exist, or two match one field.
    """
    return JsonLines(file, reading) if reading.format == "jsonl" else Csv(file, reading)
