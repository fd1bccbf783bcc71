"""Reads the shape of a PostgreSQL schema from the catalogue, in one query."""

from __future__ import annotations

from typing import TYPE_CHECKING

from custctl.schema import names
from custctl.schema.shape import Key, Shape

if TYPE_CHECKING:
    from custctl.engines.connection import Connection

# Deparsed definitions omit the schema, which is first in the search path. The body of `custctl_fold` names the best
# collation of the server that it was created on, and is not compared.
_SHAPE = r"""
WITH here AS (SELECT to_regnamespace(quote_ident(%(schema)s)) AS oid),
tables AS (
  SELECT c.oid, c.relname FROM pg_catalog.pg_class AS c, here
   WHERE c.relnamespace = here.oid AND c.relkind IN ('r', 'p') AND c.relname <> ALL (%(own)s::text[])
)
SELECT 'table', t.relname::text, '', '{}'::json, 0 AS place FROM tables AS t
UNION ALL
SELECT 'column', t.relname, a.attname, json_build_object(
         'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
         'nullable', CASE WHEN a.attnotnull THEN 'no' ELSE 'yes' END,
         'collation', coalesce((SELECT o.collname FROM pg_catalog.pg_collation AS o
                                 WHERE o.oid = a.attcollation AND o.collname <> 'default'), ''),
         'default', CASE WHEN a.attgenerated = '' THEN coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid, true), '')
                         ELSE '' END,
         'generated', CASE WHEN a.attgenerated = '' THEN '' ELSE pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) END,
         'identity', CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' ELSE '' END), a.attnum
  FROM tables AS t
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = t.oid AND d.adnum = a.attnum
UNION ALL
SELECT CASE k.contype WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique constraint' WHEN 'c' THEN 'check'
                      ELSE 'foreign key' END,
       t.relname, CASE k.contype WHEN 'p' THEN '' ELSE k.conname END,
       CASE WHEN k.contype IN ('p', 'u')
            THEN json_build_object('columns', substring(pg_catalog.pg_get_constraintdef(k.oid, true) FROM '\((.*)\)'),
                                   '_name', k.conname)
            ELSE json_build_object(
                   'definition', regexp_replace(pg_catalog.pg_get_constraintdef(k.oid, true), ' NOT VALID$', ''),
                   'validated', CASE WHEN k.convalidated THEN 'yes' ELSE 'no' END) END, 0
  FROM tables AS t
  JOIN pg_catalog.pg_constraint AS k ON k.conrelid = t.oid AND k.contype IN ('p', 'u', 'c', 'f')
UNION ALL
SELECT 'index', t.relname, c.relname, json_build_object(
         'definition', regexp_replace(substring(pg_catalog.pg_get_indexdef(i.indexrelid, 0, true) FROM ' (USING .*)$'),
                                      CASE WHEN c.reloptions IS NULL THEN '^$' ELSE ' WITH \([a-z_]+=[^)]*\)' END, ''),
         'unique', CASE WHEN i.indisunique THEN 'yes' ELSE 'no' END,
         'valid', CASE WHEN i.indisvalid AND i.indisready THEN 'yes' ELSE 'no' END,
         '_sql', pg_catalog.pg_get_indexdef(i.indexrelid, 0, true)), 0
  FROM tables AS t
  JOIN pg_catalog.pg_index AS i ON i.indrelid = t.oid
  JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
 WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS k
                    WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
UNION ALL
SELECT 'trigger', t.relname, g.tgname, json_build_object(
         'definition', regexp_replace(pg_catalog.pg_get_triggerdef(g.oid, true),
                                      '^CREATE (CONSTRAINT )?TRIGGER ("([^"]|"")+"|\S+) ', ''),
         'enabled', CASE g.tgenabled WHEN 'O' THEN 'yes' WHEN 'A' THEN 'always' WHEN 'R' THEN 'on replicas' ELSE 'no' END,
         '_sql', pg_catalog.pg_get_triggerdef(g.oid, true)), 0
  FROM tables AS t
  JOIN pg_catalog.pg_trigger AS g ON g.tgrelid = t.oid AND NOT g.tgisinternal
UNION ALL
SELECT 'function', '', p.oid::regprocedure::text, json_build_object(
         'result', coalesce(pg_catalog.pg_get_function_result(p.oid), ''),
         'body', CASE WHEN p.proname = 'custctl_fold' THEN ''
                      ELSE md5(regexp_replace(p.prosrc || coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), ''),
                                              '\s+', ' ', 'g')) END,
         '_sql', replace(pg_catalog.pg_get_functiondef(p.oid), quote_ident(%(schema)s) || '.', '')), 0
  FROM pg_catalog.pg_proc AS p, here
 WHERE p.pronamespace = here.oid AND p.prokind IN ('f', 'p')
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS e
                    WHERE e.classid = 'pg_catalog.pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'e')
 ORDER BY place
"""


def read_shape(connection: Connection) -> Shape:
    """Return the shape of the connection's schema."""
    values = {"schema": connection.schema, "own": list(names.BOOTSTRAP)}
    rows = connection.send(_SHAPE, ("schema", "own"), values)
    return {
        Key(kind, table, name): {fact: each for fact, each in facts.items() if each}
        for kind, table, name, facts, _ in rows
    }
