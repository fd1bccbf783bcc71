-- custctl: requires=pg_trgm
-- Substring search on customers: trigrams of the folded text of each field that is searched.

CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- The extension may have been installed into a schema that is not looked in.
DO $$
DECLARE
  opclass text;
BEGIN
  SELECT format('%I.gin_trgm_ops', n.nspname) INTO STRICT opclass
    FROM pg_catalog.pg_extension AS e
    JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
   WHERE e.extname = 'pg_trgm';
  EXECUTE format(
    'CREATE INDEX IF NOT EXISTS customer_search ON customer USING gin (
       custctl_fold(email) %1$s, custctl_fold(first_name) %1$s, custctl_fold(last_name) %1$s,
       custctl_fold(company) %1$s, custctl_fold(phone) %1$s)', opclass);
END
$$;
