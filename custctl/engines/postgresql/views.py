"""The views on a table: PostgreSQL changes the type of no column that a view uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from custctl.engines.connection import Connection

# `depth` is the longest chain of views down to the table: deeper ones go first, and come back last.
_VIEWS = r"""
WITH RECURSIVE uses AS (
  SELECT t.relname AS table_name, t.oid AS used, r.ev_class AS view, 1 AS depth
    FROM pg_catalog.pg_class AS t
    JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace AND n.nspname = %(schema)s
    JOIN pg_catalog.pg_depend AS d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = t.oid
    JOIN pg_catalog.pg_rewrite AS r ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = d.objid
   WHERE t.relkind IN ('r', 'p') AND r.ev_class <> t.oid
   UNION
  SELECT u.table_name, u.view, r.ev_class, u.depth + 1
    FROM uses AS u
    JOIN pg_catalog.pg_depend AS d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = u.view
    JOIN pg_catalog.pg_rewrite AS r ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = d.objid
   WHERE r.ev_class <> u.view
)
SELECT u.table_name, v.oid::regclass::text, CASE v.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END,
       array_to_string(v.reloptions, ', '), pg_catalog.pg_get_viewdef(v.oid),
       ARRAY(SELECT pg_catalog.pg_get_indexdef(i.indexrelid) FROM pg_catalog.pg_index AS i
              WHERE i.indrelid = v.oid ORDER BY i.indexrelid),
       ARRAY(SELECT format('GRANT %%s ON %%s TO %%s', a.privilege_type, v.oid::regclass,
                           CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
               FROM aclexplode(v.relacl) AS a WHERE a.grantee <> v.relowner),
       CASE WHEN pg_catalog.obj_description(v.oid, 'pg_class') IS NOT NULL
            THEN quote_literal(pg_catalog.obj_description(v.oid, 'pg_class')) END
  FROM (SELECT table_name, view, max(depth) AS depth FROM uses GROUP BY table_name, view) AS u
  JOIN pg_catalog.pg_class AS v ON v.oid = u.view
 WHERE v.relkind IN ('v', 'm')
 ORDER BY u.table_name, u.depth, v.oid
"""


class View(NamedTuple):
    """A view: the statements that drop it, and that create it again with its indexes, grants and comment."""

    drop: str
    create: tuple[str, ...]


def views_of(connection: Connection) -> Mapping[str, list[View]]:
    """Return the views on each table of the schema, in the order in which they can be created."""
    found: dict[str, list[View]] = {}
    rows = connection.send(_VIEWS, ("schema",), {"schema": connection.schema})
    for table, name, kind, options, definition, indexes, grants, comment in rows:
        given = f" WITH ({options})" if options else ""
        create = [f"CREATE {kind} {name}{given} AS\n{definition.rstrip().removesuffix(';')}", *indexes, *grants]
        if comment is not None:
            create.append(f"COMMENT ON {kind} {name} IS {comment}")
        found.setdefault(table, []).append(View(f"DROP {kind} {name}", tuple(create)))
    return found


def around(views: list[View], statements: tuple[str, ...]) -> tuple[str, ...]:
    """Return statements with the views out of their way."""
    return (
        *(view.drop for view in reversed(views)),
        *statements,
        *(statement for view in views for statement in view.create),
    )
