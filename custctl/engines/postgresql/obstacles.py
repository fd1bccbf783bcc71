"""What PostgreSQL wants out of the way of a change of a column's type: views, triggers, policies and generated columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from custctl.engines.postgresql.names import quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from custctl.engines.connection import Connection

# How a trigger is brought into the state that the catalog has a letter for; without a letter it is enabled.
_ENABLE: Final = {"A": "ENABLE ALWAYS", "R": "ENABLE REPLICA", "D": "DISABLE"}

# The privileges on tables, views and columns that others than the owner have.
_GRANTED = """
granted AS (
  SELECT c.oid AS relation, p.attnum, p.attname, x.privilege_type,
         CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END
         || CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS to_whom
    FROM pg_catalog.pg_class AS c
   CROSS JOIN LATERAL (SELECT 0, NULL::name, c.relacl
                       UNION ALL SELECT a.attnum, a.attname, a.attacl FROM pg_catalog.pg_attribute AS a
                        WHERE a.attrelid = c.oid AND NOT a.attisdropped) AS p (attnum, attname, acl)
   CROSS JOIN LATERAL aclexplode(p.acl) AS x
   WHERE x.grantee <> c.relowner
)
"""

# `depth` is the longest chain of views down to the table: deeper ones go first, and come back last.
_VIEWS = rf"""
WITH RECURSIVE {_GRANTED}, uses AS (
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
SELECT u.table_name, v.oid::regclass::text, w.kind, array_to_string(v.reloptions, ', '),
       pg_catalog.pg_get_viewdef(v.oid), v.relispopulated,
       -- The owner comes first: a grant to who makes the view again would be lost with the ownership.
       ARRAY[format('ALTER %%s %%s OWNER TO %%s', w.kind, v.oid::regclass, v.relowner::regrole)]
       || ARRAY(SELECT pg_catalog.pg_get_indexdef(i.indexrelid) FROM pg_catalog.pg_index AS i
                 WHERE i.indrelid = v.oid ORDER BY i.indexrelid)
       || ARRAY(SELECT format('ALTER VIEW %%s ALTER %%I SET DEFAULT %%s', v.oid::regclass, a.attname,
                              pg_catalog.pg_get_expr(e.adbin, e.adrelid))
                  FROM pg_catalog.pg_attrdef AS e
                  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = e.adrelid AND a.attnum = e.adnum
                 WHERE e.adrelid = v.oid ORDER BY a.attnum)
       || ARRAY(SELECT rtrim(pg_catalog.pg_get_ruledef(r.oid), ';') FROM pg_catalog.pg_rewrite AS r
                 WHERE r.ev_class = v.oid AND r.rulename <> '_RETURN' ORDER BY r.oid)
       || ARRAY(SELECT pg_catalog.pg_get_triggerdef(g.oid) FROM pg_catalog.pg_trigger AS g
                 WHERE g.tgrelid = v.oid AND NOT g.tgisinternal ORDER BY g.oid)
       || ARRAY(SELECT format('GRANT %%s ON %%s TO %%s', g.privilege_type, v.oid::regclass, g.to_whom)
                  FROM granted AS g WHERE g.relation = v.oid AND g.attnum = 0 ORDER BY 1)
       || ARRAY(SELECT format('GRANT %%s (%%I) ON %%s TO %%s', g.privilege_type, g.attname, v.oid::regclass, g.to_whom)
                  FROM granted AS g WHERE g.relation = v.oid AND g.attnum > 0 ORDER BY 1)
       || ARRAY(SELECT format('COMMENT ON %%s IS %%L',
                              coalesce('COLUMN ' || v.oid::regclass || '.' || quote_ident(a.attname),
                                       w.kind || ' ' || v.oid::regclass), c.description)
                  FROM pg_catalog.pg_description AS c
                  LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.objoid AND a.attnum = c.objsubid
                 WHERE c.classoid = 'pg_catalog.pg_class'::regclass AND c.objoid = v.oid ORDER BY c.objsubid)
  FROM (SELECT table_name, view, max(depth) AS depth FROM uses GROUP BY table_name, view) AS u
  JOIN pg_catalog.pg_class AS v ON v.oid = u.view
 CROSS JOIN LATERAL (SELECT CASE v.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END) AS w (kind)
 WHERE v.relkind IN ('v', 'm')
 ORDER BY u.table_name, u.depth, v.oid
"""

# Triggers that name columns, after `UPDATE OF` or in their condition.
_TRIGGERS = r"""
SELECT t.relname, g.tgname, pg_catalog.pg_get_triggerdef(g.oid), g.tgenabled::text,
       ARRAY(SELECT format('COMMENT ON TRIGGER %%I ON %%s IS %%L', g.tgname, t.oid::regclass, m.description)
               FROM pg_catalog.pg_description AS m
              WHERE m.classoid = 'pg_catalog.pg_trigger'::regclass AND m.objoid = g.oid),
       array_agg(DISTINCT a.attname::text)
  FROM pg_catalog.pg_trigger AS g
  JOIN pg_catalog.pg_class AS t ON t.oid = g.tgrelid AND t.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace AND n.nspname = %(schema)s
  JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_trigger'::regclass AND d.objid = g.oid
   AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = t.oid
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
 WHERE NOT g.tgisinternal AND d.refobjsubid > 0
 GROUP BY t.relname, t.oid, g.oid
 ORDER BY g.oid
"""

# Policies of row-level security that use columns, those of other tables too.
_POLICIES = r"""
SELECT t.relname, format('%%I ON %%s', p.polname, c.oid::regclass),
       concat(CASE WHEN p.polpermissive THEN '' ELSE ' AS RESTRICTIVE' END,
              ' FOR ', CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                                     WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
              ' TO ', (SELECT string_agg(CASE r.role WHEN 0 THEN 'PUBLIC' ELSE r.role::regrole::text END, ', ')
                         FROM unnest(p.polroles) AS r (role)),
              ' USING (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')',
              ' WITH CHECK (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')'),
       ARRAY(SELECT format('COMMENT ON POLICY %%I ON %%s IS %%L', p.polname, c.oid::regclass, m.description)
               FROM pg_catalog.pg_description AS m
              WHERE m.classoid = 'pg_catalog.pg_policy'::regclass AND m.objoid = p.oid),
       array_agg(DISTINCT a.attname::text)
  FROM pg_catalog.pg_policy AS p
  JOIN pg_catalog.pg_class AS c ON c.oid = p.polrelid
  JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_policy'::regclass AND d.objid = p.oid
   AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjsubid > 0
  JOIN pg_catalog.pg_class AS t ON t.oid = d.refobjid AND t.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace AND n.nspname = %(schema)s
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
 GROUP BY t.relname, p.oid, c.oid
 ORDER BY p.oid
"""

# A generated column goes with its indexes and constraints. Before version 15 it depends on its sources by itself.
_GENERATED = rf"""
WITH {_GRANTED}
SELECT t.relname, c.attname,
       pg_catalog.format_type(c.atttypid, c.atttypmod)
       || coalesce((SELECT format(' COLLATE %%s', c.attcollation::regcollation) FROM pg_catalog.pg_type AS y
                     WHERE y.oid = c.atttypid AND y.typcollation <> c.attcollation), ''),
       pg_catalog.pg_get_expr(e.adbin, e.adrelid), c.attgenerated::text, c.attnotnull,
       array_agg(DISTINCT a.attname::text),
       ARRAY(SELECT pg_catalog.pg_get_indexdef(i.indexrelid) FROM pg_catalog.pg_index AS i
              WHERE i.indrelid = t.oid AND EXISTS (
                    SELECT FROM pg_catalog.pg_depend AS u
                     WHERE u.classid = 'pg_catalog.pg_class'::regclass AND u.objid = i.indexrelid
                       AND u.refobjid = t.oid AND u.refobjsubid = c.attnum)
                AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS k WHERE k.conindid = i.indexrelid)
              ORDER BY i.indexrelid)
       || ARRAY(SELECT format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', t.oid::regclass, k.conname,
                              pg_catalog.pg_get_constraintdef(k.oid))
                  FROM pg_catalog.pg_constraint AS k
                 WHERE k.conrelid = t.oid AND c.attnum = ANY (k.conkey) AND k.contype IN ('c', 'u', 'p', 'f', 'x')
                 ORDER BY k.oid)
       || ARRAY(SELECT pg_catalog.pg_get_statisticsobjdef(s.oid) FROM pg_catalog.pg_statistic_ext AS s
                 WHERE s.stxrelid = t.oid AND c.attnum = ANY (s.stxkeys) ORDER BY s.oid)
       || ARRAY(SELECT format('GRANT %%s (%%I) ON %%s TO %%s', g.privilege_type, g.attname, t.oid::regclass, g.to_whom)
                  FROM granted AS g WHERE g.relation = t.oid AND g.attnum = c.attnum ORDER BY 1)
       || ARRAY(SELECT format('COMMENT ON COLUMN %%s.%%I IS %%L', t.oid::regclass, c.attname, m.description)
                  FROM pg_catalog.pg_description AS m
                 WHERE m.classoid = 'pg_catalog.pg_class'::regclass AND m.objoid = t.oid AND m.objsubid = c.attnum)
  FROM pg_catalog.pg_attribute AS c
  JOIN pg_catalog.pg_class AS t ON t.oid = c.attrelid AND t.relkind IN ('r', 'p')
  JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace AND n.nspname = %(schema)s
  JOIN pg_catalog.pg_attrdef AS e ON e.adrelid = t.oid AND e.adnum = c.attnum
  JOIN pg_catalog.pg_depend AS d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = t.oid
   AND (d.classid, d.objid) IN (('pg_catalog.pg_attrdef'::regclass, e.oid), ('pg_catalog.pg_class'::regclass, t.oid))
   AND d.objsubid IN (0, c.attnum)
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
 WHERE c.attgenerated <> '' AND NOT c.attisdropped AND d.refobjsubid > 0 AND d.refobjsubid <> c.attnum
 GROUP BY t.relname, t.oid, c.attnum, c.attname, c.atttypid, c.atttypmod, c.attcollation, e.adbin, e.adrelid,
          c.attgenerated, c.attnotnull
 ORDER BY c.attnum
"""


class Obstacle(NamedTuple):
    """Something that must go before a column's type can change, and that comes back afterwards.

    Attributes:
        drop: the statement that removes it.
        create: the statements that make it again, with all that went with it.
        columns: the columns of the table that it is in the way of; empty for all.
        column: the column that goes with it, or None.
    """

    drop: str
    create: tuple[str, ...]
    columns: frozenset[str] = frozenset()
    column: str | None = None


def obstacles(connection: Connection) -> Mapping[str, list[Obstacle]]:
    """Return what is in the way of each table of the schema, in the order in which it can be made again."""
    found: dict[str, list[Obstacle]] = {}
    names = {"schema": connection.schema}
    for table, column, kind, value, how, required, sources, more in connection.send(_GENERATED, ("schema",), names):
        alter = f"ALTER TABLE {quoted(table)}"
        stored = {"s": "STORED", "v": "VIRTUAL"}[how]
        words = f"{quoted(column)} {kind} GENERATED ALWAYS AS ({value}) {stored}{' NOT NULL' if required else ''}"
        create = (f"{alter} ADD COLUMN {words}", *more)
        drop = f"{alter} DROP COLUMN {quoted(column)}"
        found.setdefault(table, []).append(Obstacle(drop, create, frozenset(sources), column))
    for table, name, definition, enabled, more, columns in connection.send(_TRIGGERS, ("schema",), names):
        create = (definition, *more)
        if enabled in _ENABLE:
            create += (f"ALTER TABLE {quoted(table)} {_ENABLE[enabled]} TRIGGER {quoted(name)}",)
        drop = f"DROP TRIGGER {quoted(name)} ON {quoted(table)}"
        found.setdefault(table, []).append(Obstacle(drop, create, frozenset(columns)))
    for table, policy, definition, more, columns in connection.send(_POLICIES, ("schema",), names):
        create = (f"CREATE POLICY {policy}{definition}", *more)
        found.setdefault(table, []).append(Obstacle(f"DROP POLICY {policy}", create, frozenset(columns)))
    rows = connection.send(_VIEWS, ("schema",), names)
    for table, name, kind, options, definition, populated, more in rows:
        given = f" WITH ({options})" if options else ""
        query = definition.rstrip().removesuffix(";") + ("" if populated else "\nWITH NO DATA")
        create = (f"CREATE {kind} {name}{given} AS\n{query}", *more)
        found.setdefault(table, []).append(Obstacle(f"DROP {kind} {name}", create))
    return found


def around(here: list[Obstacle], columns: Collection[str], statements: tuple[str, ...]) -> tuple[str, ...]:
    """Return statements that change the type of columns, with what is in their way removed and made again."""
    gone = {each.column for each in here if each.column is not None and not each.columns.isdisjoint(columns)}
    met = [each for each in here if not each.columns or not each.columns.isdisjoint({*columns, *gone})]
    return (
        *(each.drop for each in reversed(met)),
        *statements,
        *(statement for each in met for statement in each.create),
    )
