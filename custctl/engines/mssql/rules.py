"""The rules of SQL Server's linter, by the names that `-- custctl: allow=RULE` takes, each with the safer way."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

HINTS: Mapping[str, str] = MappingProxyType(
    {
        "drop-table": "stop using the table first and drop it in a later release; if it is rebuilt, compare the old and"
        " new rows first, and recreate its indexes, triggers and permissions: they are dropped with it",
        "drop-column": "stop reading and writing the column first, and drop it in a later release",
        "drop-index": "make sure that no query or unique rule needs it, or create its replacement in this script",
        "drop-trigger": "create its successor in this script, or say why the rule that it kept no longer holds",
        "drop-constraint": "add its replacement in this script, or say why the rule that it enforced no longer applies",
        "rename-table": "create the new name as a synonym or view of the old one, migrate the clients, then rename",
        "rename-column": "add the new column, write both, migrate the clients, then drop the old one",
        "alter-column-type": "add a column of the new type, write both, fill it in batches and migrate the clients; only"
        " a longer variable length is quick; `WITH (ONLINE = ON)` needs Enterprise, Developer or Azure",
        "set-not-null": "fill the column in batches first, add CHECK (column IS NOT NULL) `WITH NOCHECK`, and make the"
        " change in a quiet period",
        "not-null-without-default": "give the column a constant DEFAULT (Enterprise, Developer and Azure add it without"
        " touching the rows), or add it nullable, fill it in batches, and alter it then",
        "add-column-rewrites": "add the column nullable and without the default, fill it in batches, then add the rule",
        "create-index-locks": "`WITH (ONLINE = ON (WAIT_AT_LOW_PRIORITY (MAX_DURATION = 1 MINUTES, ABORT_AFTER_WAIT ="
        " SELF)))` lets writers in, and `RESUMABLE = ON` (2019) can be paused, with `-- custctl: transaction=off`; they need"
        " Enterprise, Developer or Azure: on others run it in a quiet period, in a separate script",
        "rebuild-locks": "REORGANIZE lets writers in on every edition; or rebuild `WITH (ONLINE = ON)`, which needs"
        " Enterprise, Developer or Azure",
        "constraint-validated": "add a CHECK or FOREIGN KEY `WITH NOCHECK` and check it `WITH CHECK CHECK CONSTRAINT` in a"
        " quiet hour; add a key `WITH (ONLINE = ON)`, which needs Enterprise, Developer or Azure",
        "update-without-where": "restrict the rows with WHERE; rewrite a large table in batches over ranges of its key",
        "delete-without-where": "restrict the rows with WHERE; empty a large table in batches over ranges of its key",
        "truncate": "keep a copy, or delete with WHERE only what is no longer needed",
        "autocommit-in-transaction": "put it in a separate script with `-- custctl: transaction=off`",
        "nolock": "remove the hint; if readers wait for writers, turn READ_COMMITTED_SNAPSHOT on for the database",
    }
)
