-- custctl: allow=constraint-validated the column is new, and NULL in every row that is read
-- Who wrote, by the database's own word: `actor` is what the client claims. Older rows have none. The chain covers it:
-- `row_hash` is over `database_login` too, as the last value, in each row whose client knows the column.

-- In steps: a default that comes with its column fills the rows that are there on some servers.
ALTER TABLE customer_audit ADD database_login NVARCHAR(256) COLLATE Latin1_General_BIN2 NULL;
GO
ALTER TABLE customer_audit
  ADD CONSTRAINT customer_audit_database_login_default DEFAULT ORIGINAL_LOGIN() FOR database_login;
GO
-- INSERT cannot be granted by column, and with a trigger no client could insert with OUTPUT. The values of an entry are
-- erased by another login than that which wrote it: such a row holds their hash and no values.
ALTER TABLE customer_audit ADD CONSTRAINT customer_audit_database_login_check CHECK (
  database_login IS NULL
  OR database_login = ORIGINAL_LOGIN() COLLATE Latin1_General_BIN2
  OR held_values IS NULL AND values_hash <> N''
);
GO
