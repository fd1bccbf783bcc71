-- Who may do what. Give a person or a job one of these: `GRANT custctl_operator TO ada`.
--
--   custctl_support   reads customers and the audit; neither the passwords nor the values that the audit holds
--   custctl_operator  also adds, changes, imports and deletes customers, and sets their passwords
--   custctl_admin     owns the tables: migrates, seeds, repairs, fails over
--
-- Roles belong to the whole server. Where the login that migrates may not create them, a warning says which ones are
-- missing: an administrator then runs this file once with psql. `custctl doctor` prints the command.

DO $$
DECLARE
  wanted text;
BEGIN
  FOREACH wanted IN ARRAY ARRAY['custctl_support', 'custctl_operator', 'custctl_admin'] LOOP
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
      EXCEPTION
        -- Another database's migration may be making it at this moment.
        WHEN duplicate_object OR unique_violation THEN NULL;
        WHEN insufficient_privilege THEN
          RAISE WARNING 'the role % is missing, and % may not create roles', wanted, current_user
            USING HINT = 'let an administrator run this file';
      END;
    END IF;
  END LOOP;
END
$$;

DO $$
DECLARE
  here text := current_schema();
  granted text;
  grants text[] := ARRAY[
    'USAGE ON SCHEMA %1$I TO custctl_support',
    'SELECT ON %1$I.customer, %1$I.customer_account, %1$I.customer_status, %1$I.schema_migration,'
      ' %1$I.custctl_metadata TO custctl_support',
    'SELECT (id, operation_id, part, customer_id, sequence, action, actor, happened_at, version, fields,'
      ' first_customer_id, last_customer_id, detail, values_hash, previous_hash, row_hash, database_login)'
      ' ON %1$I.customer_audit TO custctl_support',
    'USAGE ON SCHEMA %1$I TO custctl_operator',
    'SELECT ON %1$I.customer_status, %1$I.schema_migration, %1$I.custctl_metadata TO custctl_operator',
    'SELECT, INSERT, UPDATE, DELETE ON %1$I.customer, %1$I.customer_password, %1$I.customer_import,'
      ' %1$I.customer_account, %1$I.customer_account_outbox TO custctl_operator',
    -- An entry is never changed but to erase the values that it holds.
    'SELECT, INSERT, UPDATE (held_values, salt) ON %1$I.customer_audit TO custctl_operator',
    'USAGE, CREATE ON SCHEMA %1$I TO custctl_admin',
    'SELECT, INSERT, UPDATE, DELETE ON %1$I.customer, %1$I.customer_password, %1$I.customer_audit,'
      ' %1$I.customer_status, %1$I.customer_import, %1$I.customer_account, %1$I.customer_account_outbox,'
      ' %1$I.schema_migration, %1$I.custctl_metadata TO custctl_admin'];
BEGIN
  FOREACH granted IN ARRAY grants LOOP
    BEGIN
      EXECUTE format('GRANT ' || granted, here);
    EXCEPTION
      WHEN undefined_object THEN NULL; -- the role is missing, as was said above
      WHEN insufficient_privilege THEN
        RAISE WARNING 'not granted: %', format(granted, here) USING HINT = 'let the owner of the schema run this file';
    END;
  END LOOP;
END
$$;

-- The tables become the role's, so that each of its members can migrate them; the login that owned them becomes one.
DO $$
DECLARE
  given record;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'custctl_admin') THEN
    RETURN;
  END IF;
  FOR given IN
    SELECT format('TABLE %s', c.oid::regclass) AS what, c.relowner AS owner
      FROM pg_catalog.pg_class AS c
     WHERE c.relnamespace = quote_ident(current_schema())::regnamespace
       AND c.relkind IN ('r', 'p')
       AND c.relname IN ('customer', 'customer_password', 'customer_audit', 'customer_status', 'customer_import',
                         'customer_account', 'customer_account_outbox', 'schema_migration', 'custctl_metadata')
       AND c.relowner <> 'custctl_admin'::regrole
       AND pg_has_role(c.relowner, 'USAGE')
    UNION ALL
    SELECT format('FUNCTION %s', p.oid::regprocedure), p.proowner
      FROM pg_catalog.pg_proc AS p
     WHERE p.pronamespace = quote_ident(current_schema())::regnamespace
       AND p.proname IN ('custctl_fold', 'custctl_typed', 'custctl_plain', 'custctl_digits', 'custctl_words',
                         'customer_raise_version', 'customer_audit_check_login')
       AND p.proowner <> 'custctl_admin'::regrole
       AND pg_has_role(p.proowner, 'USAGE')
  LOOP
    -- A login that has created a role is no full member of it, and cannot give a table to it, but may join it.
    IF NOT pg_has_role(given.owner, 'custctl_admin', 'USAGE') THEN
      EXECUTE format('GRANT custctl_admin TO %s', given.owner::regrole);
      IF NOT pg_has_role(given.owner, 'custctl_admin', 'USAGE') THEN
        RAISE insufficient_privilege
          USING MESSAGE = format('%s does not inherit the rights of its roles', given.owner::regrole);
      END IF;
    END IF;
    EXECUTE format('ALTER %s OWNER TO custctl_admin', given.what);
  END LOOP;
EXCEPTION
  WHEN insufficient_privilege THEN
    RAISE WARNING 'the tables stay with their owner: %', SQLERRM
      USING HINT = 'let an administrator run this file, or migrate as the owner alone';
END
$$;

-- To fail over takes rights over the server, which a superuser alone can give; `custctl replica status` tells which of
-- them are missing. Memberships and parameters hold for the whole server, EXECUTE for this database.
DO $$
DECLARE
  granted text;
  grants text[] := ARRAY[
    -- How far each node is, and how it follows another (primary_conninfo, which may hold a password).
    'pg_monitor',
    -- A fenced primary ends the sessions of its clients.
    'pg_signal_backend',
    'EXECUTE ON FUNCTION pg_catalog.pg_promote(boolean, integer)',
    'EXECUTE ON FUNCTION pg_catalog.pg_reload_conf()',
    -- The fence.
    'ALTER SYSTEM ON PARAMETER default_transaction_read_only',
    -- Whom a standby follows, and whom a commit waits for.
    'ALTER SYSTEM ON PARAMETER primary_conninfo, primary_slot_name, synchronous_standby_names'];
BEGIN
  -- Before 15 parameters cannot be granted, and only a superuser fails over.
  IF current_setting('is_superuser') = 'off' OR current_setting('server_version_num')::integer < 150000
     OR NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'custctl_admin') THEN
    RETURN;
  END IF;
  FOREACH granted IN ARRAY grants LOOP
    EXECUTE format('GRANT %s TO custctl_admin', granted);
  END LOOP;
END
$$;
