-- Who may do what. Give a person or a job one of these: `ALTER ROLE custctl_operator ADD MEMBER ada`.
--
--   custctl_support   reads customers and the audit; neither the passwords nor the values that the audit holds
--   custctl_operator  also adds, changes, imports and deletes customers, and sets their passwords
--   custctl_admin     migrates, seeds, repairs, fails over

IF NOT EXISTS (SELECT 1 FROM sys.database_principals WHERE name = N'custctl_support')
  CREATE ROLE custctl_support;
GO
IF NOT EXISTS (SELECT 1 FROM sys.database_principals WHERE name = N'custctl_operator')
  CREATE ROLE custctl_operator;
GO
IF NOT EXISTS (SELECT 1 FROM sys.database_principals WHERE name = N'custctl_admin')
  CREATE ROLE custctl_admin;
GO

GRANT SELECT ON customer TO custctl_support;
GRANT SELECT ON customer_account TO custctl_support;
GRANT SELECT ON customer_status TO custctl_support;
GRANT SELECT ON schema_migration TO custctl_support;
GRANT SELECT ON custctl_metadata TO custctl_support;
GRANT SELECT ON customer_audit (id, operation_id, part, customer_id, sequence, action, actor, happened_at, version,
  fields, first_customer_id, last_customer_id, detail, values_hash, previous_hash, row_hash,
  database_login) TO custctl_support;
GO

GRANT SELECT ON customer_status TO custctl_operator;
GRANT SELECT ON schema_migration TO custctl_operator;
GRANT SELECT ON custctl_metadata TO custctl_operator;
GRANT SELECT, INSERT, UPDATE, DELETE ON customer TO custctl_operator;
GRANT SELECT, INSERT, UPDATE, DELETE ON customer_password TO custctl_operator;
GRANT SELECT, INSERT, UPDATE, DELETE ON customer_import TO custctl_operator;
GRANT SELECT, INSERT, UPDATE, DELETE ON customer_import_row TO custctl_operator;
GRANT SELECT, INSERT, UPDATE, DELETE ON customer_account TO custctl_operator;
GRANT SELECT, INSERT, UPDATE, DELETE ON customer_account_outbox TO custctl_operator;
-- An entry is never changed but to erase the values that it holds.
GRANT SELECT, INSERT ON customer_audit TO custctl_operator;
GRANT UPDATE ON customer_audit (held_values, salt) TO custctl_operator;
GO

GRANT SELECT, INSERT, UPDATE, DELETE ON customer TO custctl_admin;
GRANT SELECT, INSERT, UPDATE, DELETE ON customer_password TO custctl_admin;
GRANT SELECT, INSERT, UPDATE, DELETE ON customer_audit TO custctl_admin;
GRANT SELECT, INSERT, UPDATE, DELETE ON customer_status TO custctl_admin;
GRANT SELECT, INSERT, UPDATE, DELETE ON customer_import TO custctl_admin;
GRANT SELECT, INSERT, UPDATE, DELETE ON customer_import_row TO custctl_admin;
GRANT SELECT, INSERT, UPDATE, DELETE ON customer_account TO custctl_admin;
GRANT SELECT, INSERT, UPDATE, DELETE ON customer_account_outbox TO custctl_admin;
GRANT SELECT, INSERT, UPDATE, DELETE ON schema_migration TO custctl_admin;
GRANT SELECT, INSERT, UPDATE, DELETE ON custctl_metadata TO custctl_admin;
GO

-- To migrate takes roles that SQL Server has in every database, and a member of `db_owner` to give them. A table that
-- a migration makes belongs to the schema's owner: reading and writing it are rights of their own.
IF SERVERPROPERTY(N'Babelfish') IS NULL
BEGIN
  IF IS_ROLEMEMBER(N'db_owner') = 1
  BEGIN
    ALTER ROLE db_ddladmin ADD MEMBER custctl_admin;
    ALTER ROLE db_securityadmin ADD MEMBER custctl_admin;
    ALTER ROLE db_datareader ADD MEMBER custctl_admin;
    ALTER ROLE db_datawriter ADD MEMBER custctl_admin;
  END
END
GO
