"""The rules of PostgreSQL's linter, by the names that `-- custctl: allow=RULE` takes, each with the safer way."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

HINTS: Mapping[str, str] = MappingProxyType(
    {
        "drop-table": "stop using the table first and drop it in a later release; if it is rebuilt, compare the old and"
        " new rows first",
        "drop-cascade": "drop without CASCADE: PostgreSQL then names what depends on it, and the script can say so too",
        "drop-column": "stop reading and writing the column first, and drop it in a later release",
        "drop-constraint": "add its replacement in this script, under the same name, or say why the rule no longer applies",
        "drop-index": "make sure that no query or unique rule needs it, or create its replacement in this script;"
        " DROP INDEX CONCURRENTLY, with `-- custctl: transaction=off`, lets the table's clients keep working",
        "drop-trigger": "create its successor in this script, or say why the rule that it kept no longer holds",
        "rename-table": "create the new name as a view on the old one, migrate the clients, then rename",
        "rename-column": "add the new column, write both, migrate the clients, then drop the old one",
        "alter-column-type": "add a column of the new type, write both, fill it in batches, migrate the clients, drop the"
        " old one; varchar to text or to a longer varchar, and numeric to more digits of the same scale, rewrite nothing"
        " and may be allowed",
        "not-null-without-default": "give the column a DEFAULT, or add it nullable, fill it in batches, and set it NOT NULL"
        " in a later script",
        "set-not-null": "ADD CONSTRAINT … CHECK (column IS NOT NULL) NOT VALID in one script, VALIDATE CONSTRAINT in the"
        " next, which blocks nobody, and then SET NOT NULL: it relies on the constraint, which can then be dropped",
        "add-column-rewrites": "add a plain column, set its default with ALTER COLUMN … SET DEFAULT, which applies to"
        " new rows, and fill the old ones in batches",
        "create-index-locks": "use CONCURRENTLY, in a separate script with `-- custctl: transaction=off`",
        "constraint-validated": "for a CHECK or a FOREIGN KEY use NOT VALID, and VALIDATE CONSTRAINT in a later script; for"
        " UNIQUE or PRIMARY KEY create the index CONCURRENTLY first and add the constraint USING INDEX",
        "update-without-where": "restrict the rows with WHERE; rewrite a large table in batches over ranges of its key",
        "delete-without-where": "restrict the rows with WHERE; empty a large table in batches over ranges of its key",
        "truncate": "make sure that nobody needs the rows; DELETE in batches does not block readers or writers",
        "lock-table": "take a weaker lock (SHARE UPDATE EXCLUSIVE stops no reader and no writer), or lock rows by SELECT …"
        " FOR UPDATE",
        "rewrite-table": "plain VACUUM frees space without blocking anyone; rewrite in a maintenance window, or with an"
        " extension such as pg_repack",
        "concurrently-in-transaction": "put it in a separate script with `-- custctl: transaction=off`",
    }
)
