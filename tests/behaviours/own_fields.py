"""A company's own columns, one of each type, on any engine."""

from __future__ import annotations

import shutil
from typing import Any

from tests.behaviours.support import Place
from tests.conftest import REPOSITORY

TYPES = {
    "sqlite": {
        "tier": "VARCHAR(8)",
        "points": "INTEGER NOT NULL DEFAULT 0",
        "small": "SMALLINT",
        "credit": "DECIMAL(10,2)",
        "ratio": "REAL",
        "vip": "BOOLEAN",
        "born": "DATE",
        "seen": "TIMESTAMP",
        "reference": "UUID",
        "extra": "JSON",
        "blob": "BLOB",
        "shoe size": "INTEGER",
    },
    "postgresql": {
        "tier": "varchar(8)",
        "points": "integer NOT NULL DEFAULT 0",
        "small": "smallint",
        "credit": "numeric(10,2)",
        "ratio": "double precision",
        "vip": "boolean",
        "born": "date",
        "seen": "timestamptz",
        "reference": "uuid",
        "extra": "jsonb",
        "blob": "bytea",
        "shoe size": "integer",
    },
    "mssql": {
        "tier": "NVARCHAR(8)",
        "points": "INT NOT NULL CONSTRAINT customer_points_default DEFAULT 0",
        "small": "SMALLINT",
        "credit": "DECIMAL(10,2)",
        "ratio": "FLOAT",
        "vip": "BIT",
        "born": "DATE",
        "seen": "DATETIME2(3)",
        "reference": "UNIQUEIDENTIFIER",
        "extra": "NVARCHAR(MAX)",
        "blob": "VARBINARY(20)",
        "shoe size": "INT",
    },
}
"""One column of each type; `extra` is JSON where the engine has such a type, and `blob` cannot be set."""

SET: dict[str, tuple[str, Any]] = {
    "tier": ("gold", "gold"),
    "points": ("7", 7),
    "small": ("-5", -5),
    "credit": ("10.5", "10.50"),
    "ratio": ("0.1", 0.1),
    "vip": ("yes", True),
    "born": ("2000-02-29", "2000-02-29"),
    "seen": ("2026-01-01T10:00:00.5+02:00", "2026-01-01T08:00:00.500Z"),
    "reference": ("0000000A-0000-0000-0000-00000000000B", "0000000a-0000-0000-0000-00000000000b"),
    "shoe size": ("39", 39),
}
"""What is typed for a field, and the value that it then has."""


def quoted(place: Place, name: str) -> str:
    """Return the name of a column as its engine quotes it."""
    return f"[{name}]" if place.engine == "mssql" else '"' + name.replace('"', '""') + '"'


def write_script(place: Place, number: int, text: str) -> None:
    """Add a script of the company's to a project's own copy of the scripts."""
    folder = place.path / "sql"
    if not folder.exists():
        shutil.copytree(REPOSITORY / "sql", folder)
        place.environ["CUSTCTL_SQL_DIR"] = str(folder)
    (folder / place.engine / "migrations" / f"{number}_own.sql").write_text(text)


def add_columns(place: Place, number: int = 1000) -> None:
    """Migrate to a schema with a column of each type."""
    add = "ADD" if place.engine == "mssql" else "ADD COLUMN"
    lines = [
        f"ALTER TABLE customer {add} {quoted(place, name)} {declared};"
        for name, declared in TYPES[place.engine].items()
    ]
    write_script(place, number, "\n".join(lines) + "\n")
    place.ok("migrate")


def settings(**values: str) -> list[str]:
    """Return `--set` options."""
    return [part for name, value in values.items() for part in ("--set", f"{name}={value}")]
