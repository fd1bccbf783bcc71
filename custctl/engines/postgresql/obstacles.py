"""What PostgreSQL wants out of the way of a change of a column's type: views, triggers and generated columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from custctl.engines.postgresql.names import quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from custctl.engines.connection import Connection

# How a trigger is brought into the state that the catalog has a letter for; without a letter it is enabled.
_ENABLE: Final = {"A": "ENABLE ALWAYS", "R": "ENABLE REPLICA", "D": "DISABLE"}

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
            THEN quote_literal(pg_catalog.obj_description(v.oid, 'pg_class')) END,
       ARRAY(SELECT pg_catalog.pg_get_ruledef(r.oid) FROM pg_catalog.pg_rewrite AS r
              WHERE r.ev_class = v.oid AND r.rulename <> '_RETURN' ORDER BY r.oid),
       ARRAY(SELECT pg_catalog.pg_get_triggerdef(g.oid) FROM pg_catalog.pg_trigger AS g
              WHERE g.tgrelid = v.oid AND NOT g.tgisinternal ORDER BY g.oid)
  FROM (SELECT table_name, view, max(depth) AS depth FROM uses GROUP BY table_name, view) AS u
  JOIN pg_catalog.pg_class AS v ON v.oid = u.view
 WHERE v.relkind IN ('v', 'm')
 ORDER BY u.table_name, u.depth, v.oid
"""

# Triggers that name columns, after `UPDATE OF` or in their condition.
_TRIGGERS = r"""
SELECT t.relname, g.tgname, pg_catalog.pg_get_triggerdef(g.oid), g.tgenabled::text,
       array_agg(DISTINCT a.attname::text)
  FROM pg_catalog.pg_trigger AS g
  JOIN pg_catalog.pg_class AS t ON t.oid = g.tgrelid AND t.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace AND n.nspname = %(schema)s
  JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_trigger'::regclass AND d.objid = g.oid
   AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = t.oid
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
 WHERE NOT g.tgisinternal AND d.refobjsubid > 0
 GROUP BY t.relname, g.oid
 ORDER BY g.oid
"""

# A generated column goes with its indexes and constraints. Before version 15 it depends on its sources by itself.
_GENERATED = r"""
SELECT t.relname, c.attname, pg_catalog.format_type(c.atttypid, c.atttypmod),
       pg_catalog.pg_get_expr(e.adbin, e.adrelid), c.attgenerated::text, c.attnotnull,
       array_agg(DISTINCT a.attname::text),
       ARRAY(SELECT pg_catalog.pg_get_indexdef(i.indexrelid) FROM pg_catalog.pg_index AS i
              WHERE i.indrelid = t.oid AND c.attnum = ANY (i.indkey)
                AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS k WHERE k.conindid = i.indexrelid)
              ORDER BY i.indexrelid),
       ARRAY(SELECT format('ADD CONSTRAINT %%I %%s', k.conname, pg_catalog.pg_get_constraintdef(k.oid))
               FROM pg_catalog.pg_constraint AS k
              WHERE k.conrelid = t.oid AND c.attnum = ANY (k.conkey) AND k.contype IN ('c', 'u', 'p', 'f')
              ORDER BY k.oid)
  FROM pg_catalog.pg_attribute AS c
  JOIN pg_catalog.pg_class AS t ON t.oid = c.attrelid AND t.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace AND n.nspname = %(schema)s
  JOIN pg_catalog.pg_attrdef AS e ON e.adrelid = t.oid AND e.adnum = c.attnum
  JOIN pg_catalog.pg_depend AS d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = t.oid
   AND (d.classid, d.objid) IN (('pg_catalog.pg_attrdef'::regclass, e.oid), ('pg_catalog.pg_class'::regclass, t.oid))
   AND d.objsubid IN (0, c.attnum)
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
 WHERE c.attgenerated <> '' AND NOT c.attisdropped AND d.refobjsubid > 0 AND d.refobjsubid <> c.attnum
 GROUP BY t.relname, t.oid, c.attnum, c.attname, c.atttypid, c.atttypmod, e.adbin, e.adrelid, c.attgenerated,
          c.attnotnull
 ORDER BY c.attnum
"""


class Obstacle(NamedTuple):
    """Something that must go before a column's type can change, and that comes back afterwards.

    Attributes:
        drop: the statement that removes it.
        create: the statements that make it again, with all that went with it.
        columns: the columns of the table that it is in the way of; empty for all.
    """

    drop: str
    create: tuple[str, ...]
    columns: frozenset[str] = frozenset()


def obstacles(connection: Connection) -> Mapping[str, list[Obstacle]]:
    """Return what is in the way of each table of the schema, in the order in which it can be made again."""
    found: dict[str, list[Obstacle]] = {}
    names = {"schema": connection.schema}
    for table, column, kind, value, how, required, sources, indexes, constraints in connection.send(
        _GENERATED, ("schema",), names
    ):
        alter = f"ALTER TABLE {quoted(table)}"
        stored = {"s": "STORED", "v": "VIRTUAL"}[how]
        words = f"{quoted(column)} {kind} GENERATED ALWAYS AS ({value}) {stored}{' NOT NULL' if required else ''}"
        create = (f"{alter} ADD COLUMN {words}", *indexes, *(f"{alter} {each}" for each in constraints))
        found.setdefault(table, []).append(
            Obstacle(f"{alter} DROP COLUMN {quoted(column)}", create, frozenset(sources))
        )
    for table, name, definition, enabled, columns in connection.send(_TRIGGERS, ("schema",), names):
        create = (definition,)
        if enabled in _ENABLE:
            create += (f"ALTER TABLE {quoted(table)} {_ENABLE[enabled]} TRIGGER {quoted(name)}",)
        drop = f"DROP TRIGGER {quoted(name)} ON {quoted(table)}"
        found.setdefault(table, []).append(Obstacle(drop, create, frozenset(columns)))
    rows = connection.send(_VIEWS, ("schema",), names)
    for table, name, kind, options, definition, indexes, grants, comment, rules, triggers in rows:
        given = f" WITH ({options})" if options else ""
        made = [f"CREATE {kind} {name}{given} AS\n{definition.rstrip().removesuffix(';')}", *indexes, *grants]
        made += [*(rule.removesuffix(";") for rule in rules), *triggers]
        if comment is not None:
            made.append(f"COMMENT ON {kind} {name} IS {comment}")
        found.setdefault(table, []).append(Obstacle(f"DROP {kind} {name}", tuple(made)))
    return found


def around(here: list[Obstacle], columns: Collection[str], statements: tuple[str, ...]) -> tuple[str, ...]:
    """Return statements that change the type of columns, with what is in their way removed and made again."""
    met = [each for each in here if not each.columns or not each.columns.isdisjoint(columns)]
    return (
        *(each.drop for each in reversed(met)),
        *statements,
        *(statement for each in met for statement in each.create),
    )
