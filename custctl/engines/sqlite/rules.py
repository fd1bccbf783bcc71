"""The rules of SQLite's linter, by the names that `-- custctl: allow=RULE` takes, each with the safer way."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

HINTS: Mapping[str, str] = MappingProxyType(
    {
        "drop-table": "stop using the table first and drop it in a later release; if it is rebuilt, compare the old and"
        " new rows first, and recreate its indexes and triggers: they are dropped with it",
        "drop-column": "stop reading and writing the column first, and drop it in a later release",
        "drop-index": "make sure that no query or unique rule needs it, or create its replacement in this script",
        "drop-trigger": "create its successor in this script, or say why the rule that it kept no longer holds",
        "rename-table": "create the new name as a view on the old one, migrate the clients, then rename",
        "rename-column": "add the new column, write both, migrate the clients, then drop the old one",
        "not-null-without-default": "give the column a constant DEFAULT, or add it nullable, fill it, and add a CHECK by"
        " rebuilding the table",
        "add-column-refused": "add a plain column, fill it by UPDATE, and enforce the rule with CREATE UNIQUE INDEX",
        "create-index-locks": "run it in a quiet period, in a separate script, with a busy timeout in the writers that is"
        " longer than the build",
        "update-without-where": "restrict the rows with WHERE; rewrite a large table in batches over ranges of its key",
        "delete-without-where": "restrict the rows with WHERE; empty a large table in batches over ranges of its key",
        "replace-into": "use INSERT … ON CONFLICT (key) DO UPDATE SET …, which changes the existing row",
        "pragma-in-transaction": "set it in a script of its own with `-- custctl: transaction=off`; for foreign keys,"
        " `PRAGMA defer_foreign_keys = on` works inside",
        "vacuum-in-transaction": "put it in a separate script with `-- custctl: transaction=off`",
        "writable-schema": "use ALTER TABLE, or rebuild the table: a wrong word in the schema makes the file unreadable",
        "attach-database": "move rows between files with export and import",
    }
)
