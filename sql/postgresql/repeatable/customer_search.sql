-- custctl: requires=pg_trgm
-- custctl: transaction=off
-- custctl: phase=expand
-- Search for a part of a text: trigrams of the folded fields, a line each, and of the digits of the phone. The index is
-- built while other clients use the table; until then such a search reads all rows.

CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- The extension may have been installed into a schema that is not looked in.
SELECT pg_catalog.set_config('search_path', format('%I, %I', current_schema(), n.nspname), false)
  FROM pg_catalog.pg_extension AS e
  JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
 WHERE e.extname = 'pg_trgm';

DROP INDEX CONCURRENTLY IF EXISTS customer_search;

CREATE INDEX CONCURRENTLY customer_search ON customer USING gin ((
  custctl_plain(email || chr(10) || first_name || chr(10) || last_name || chr(10) || coalesce(company, '') || chr(10)
    || coalesce(city, '') || chr(10) || coalesce(phone, '')) || chr(10) || coalesce(custctl_digits(phone), '')) gin_trgm_ops);
