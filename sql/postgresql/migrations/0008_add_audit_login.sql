-- Who wrote, by the database's own word: `actor` is what the client claims. Older rows have none. The chain covers it:
-- `row_hash` is over `database_login` too, as the last value, in each row whose client knows the column.

-- Two statements: a default that comes with its column would also fill the rows that are there.
ALTER TABLE customer_audit ADD COLUMN database_login text COLLATE "C";
ALTER TABLE customer_audit ALTER COLUMN database_login SET DEFAULT session_user;

-- Refused rather than replaced, so that a restore of the rows alone does not rewrite them; `pg_restore --disable-triggers`
-- brings them back as they were.
CREATE FUNCTION customer_audit_check_login () RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.database_login IS DISTINCT FROM session_user::text THEN
    RAISE insufficient_privilege
      USING MESSAGE = 'the login of an audit entry is that of the session', TABLE = TG_TABLE_NAME;
  END IF;
  RETURN NEW;
END
$$;

CREATE TRIGGER customer_audit_login
BEFORE INSERT ON customer_audit
FOR EACH ROW EXECUTE FUNCTION customer_audit_check_login();
