-- custctl migrate
SET ANSI_NULLS ON; SET ANSI_PADDING ON; SET ANSI_WARNINGS ON; SET ARITHABORT ON; SET CONCAT_NULL_YIELDS_NULL ON; SET NUMERIC_ROUNDABORT OFF; SET QUOTED_IDENTIFIER ON; SET IMPLICIT_TRANSACTIONS OFF; SET NOCOUNT OFF; SET XACT_ABORT ON; SET ROWCOUNT 0; SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET LOCK_TIMEOUT 27000
GO
SELECT t.name FROM sys.tables AS t INNER JOIN sys.schemas AS s ON s.schema_id = t.schema_id WHERE s.name = ?
GO
SELECT CASE WHEN (CAST(DATABASEPROPERTYEX(DB_NAME(), N'Updateability') AS NVARCHAR(60)) = N'READ_ONLY') THEN N'yes' ELSE N'no' END AS read_only
GO
SELECT CAST(SERVERPROPERTY('ProductVersion') AS NVARCHAR(256))
GO
SELECT CAST(SERVERPROPERTY('Edition') AS NVARCHAR(256))
GO
SELECT CAST(DATABASEPROPERTYEX(DB_NAME(), 'Collation') AS NVARCHAR(256))
GO
SELECT CAST(SERVERPROPERTY('BabelfishVersion') AS NVARCHAR(256))
GO
SELECT CAST(SCHEMA_NAME() AS NVARCHAR(256))
GO
SELECT HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', N'CREATE TABLE')
GO
SELECT o.name, LOWER(REPLACE(o.type_desc, '_', ' ')) FROM sys.objects AS o INNER JOIN sys.schemas AS s ON s.schema_id = o.schema_id WHERE s.name = ? AND o.name IN (N'schema_migration', N'custctl_metadata', N'customer', N'customer_password', N'customer_audit', N'customer_status', N'customer_import', N'customer_account', N'customer_account_outbox') AND o.type <> 'U'
GO
DECLARE @result INT, @name NVARCHAR(255) = N'custctl:…:' + CAST(DB_ID() AS NVARCHAR(10)); EXEC @result = sp_getapplock @Resource = @name, @LockMode = N'Exclusive', @LockOwner = N'Session', @LockTimeout = 100; SELECT @result AS result;
GO
SELECT SCHEMA_NAME()
GO
SELECT CAST(@@LANGUAGE AS NVARCHAR(128)), CAST(@@DATEFIRST AS INT)
GO
SELECT APPLOCK_MODE(N'public', N'custctl:…:' + CAST(DB_ID() AS NVARCHAR(10)), N'Session')
GO
BEGIN TRANSACTION
GO
CREATE TABLE [dbo].schema_migration (
  id BIGINT NOT NULL IDENTITY,
  version BIGINT NULL,
  name NVARCHAR(255) COLLATE Latin1_General_BIN2 NOT NULL,
  description NVARCHAR(255) COLLATE Latin1_General_BIN2 NOT NULL,
  kind NVARCHAR(20) COLLATE Latin1_General_BIN2 NOT NULL,
  checksum NVARCHAR(80) COLLATE Latin1_General_BIN2 NOT NULL,
  script NVARCHAR(max) COLLATE Latin1_General_BIN2 NOT NULL,
  state NVARCHAR(20) COLLATE Latin1_General_BIN2 NOT NULL,
  statements_applied INTEGER NOT NULL,
  statements_total INTEGER NOT NULL,
  in_flight INTEGER NULL,
  error NVARCHAR(max) COLLATE Latin1_General_BIN2 NULL,
  started_at DATETIME2(3) NOT NULL,
  finished_at DATETIME2(3) NULL,
  duration_ms BIGINT NULL,
  applied_by NVARCHAR(200) COLLATE Latin1_General_BIN2 NOT NULL,
  tool_version NVARCHAR(40) COLLATE Latin1_General_BIN2 NOT NULL,
  CONSTRAINT schema_migration_pk PRIMARY KEY (id)
);
CREATE INDEX [schema_migration_version] ON [dbo].[schema_migration] ([version]);
CREATE UNIQUE INDEX [schema_migration_name_unique] ON [dbo].[schema_migration] ([name])
GO
CREATE TABLE [dbo].custctl_metadata (
  name NVARCHAR(200) COLLATE Latin1_General_BIN2 NOT NULL,
  value NVARCHAR(max) COLLATE Latin1_General_BIN2 NOT NULL,
  CONSTRAINT custctl_metadata_pk PRIMARY KEY (name)
)
GO
SELECT custctl_metadata.name, custctl_metadata.value
FROM [dbo].custctl_metadata
GO
INSERT INTO [dbo].custctl_metadata (name, value) VALUES (?, ?)
GO
COMMIT TRANSACTION
GO
BEGIN TRANSACTION; DECLARE @result INT, @name NVARCHAR(255) = N'custctl:…:' + CAST(DB_ID() AS NVARCHAR(10)); EXEC @result = sp_getapplock @Resource = @name, @LockMode = N'Exclusive', @LockOwner = N'Transaction', @LockTimeout = 100; SELECT @result AS result;
GO
SELECT clock.now, schema_migration.id, schema_migration.state, schema_migration.checksum, schema_migration.statements_applied, schema_migration.in_flight
FROM (SELECT CAST(SYSUTCDATETIME() AS DATETIME2(3)) AS now) AS clock LEFT OUTER JOIN [dbo].schema_migration ON schema_migration.version = ?
GO
SELECT @@TRANCOUNT, APPLOCK_MODE(N'public', N'custctl:…:' + CAST(DB_ID() AS NVARCHAR(10)), N'Transaction')
GO
INSERT INTO [dbo].schema_migration (version, name, description, kind, checksum, script, state, statements_applied, statements_total, in_flight, error, started_at, finished_at, duration_ms, applied_by, tool_version) OUTPUT inserted.id VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, CAST(? AS DATETIME2(3)), CAST(SYSUTCDATETIME() AS DATETIME2(3)), ?, ?, ?)
GO
SELECT clock.now, schema_migration.id, schema_migration.state, schema_migration.checksum, schema_migration.statements_applied, schema_migration.in_flight
FROM (SELECT CAST(SYSUTCDATETIME() AS DATETIME2(3)) AS now) AS clock LEFT OUTER JOIN [dbo].schema_migration ON (schema_migration.name = ? AND DATALENGTH(schema_migration.name) = DATALENGTH(?))
GO
SELECT schema_migration.name
FROM [dbo].schema_migration
WHERE schema_migration.version = ?
GO
INSERT INTO [dbo].schema_migration (version, name, description, kind, checksum, script, state, statements_applied, statements_total, in_flight, error, started_at, finished_at, duration_ms, applied_by, tool_version) OUTPUT inserted.id VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, CAST(? AS DATETIME2(3)), CAST(SYSUTCDATETIME() AS DATETIME2(3)), ?, ?, ?)
GO
SELECT schema_migration.id, schema_migration.version, schema_migration.name, schema_migration.description, schema_migration.kind, schema_migration.checksum, schema_migration.script, schema_migration.state, schema_migration.statements_applied, schema_migration.statements_total, schema_migration.in_flight, schema_migration.error, schema_migration.started_at, schema_migration.finished_at, schema_migration.duration_ms, schema_migration.applied_by, schema_migration.tool_version
FROM [dbo].schema_migration ORDER BY schema_migration.id
GO
SELECT custctl_metadata.name, custctl_metadata.value
FROM [dbo].custctl_metadata
WHERE custctl_metadata.name IN ('environment', 'epoch', 'database_id', 'deferred_indexes', 'own_fields') UNION ALL SELECT 'schema_version', CAST(max(CASE WHEN (schema_migration.version <= 5) THEN schema_migration.version WHEN (schema_migration.name = 'migrations/0006_create_customer_words.sql') THEN 6 WHEN (schema_migration.name = 'migrations/0007_create_customer_account.sql') THEN 7 WHEN (schema_migration.name = 'migrations/0008_add_audit_login.sql') THEN 8 END) AS NVARCHAR(20)) AS max_1
FROM [dbo].schema_migration
WHERE schema_migration.state IN ('applied', 'baseline')
GO
SELECT c.name, COALESCE(b.name, t.name) AS word, c.max_length, c.[precision], c.[scale], c.is_nullable, c.is_computed,
       c.is_identity, c.default_object_id, CAST(COLLATIONPROPERTY(c.collation_name, 'CodePage') AS INT) AS code_page
  FROM sys.columns AS c
  JOIN sys.types AS t ON t.user_type_id = c.user_type_id
  LEFT JOIN sys.types AS b ON b.user_type_id = t.system_type_id AND t.is_user_defined = 1
 WHERE c.object_id = OBJECT_ID(?)
 ORDER BY c.column_id
GO
DECLARE @name NVARCHAR(255) = N'custctl:…:' + CAST(DB_ID() AS NVARCHAR(10)); EXEC sp_releaseapplock @Resource = @name, @LockOwner = N'Session'
GO

-- custctl migrate status
SELECT custctl_metadata.name, custctl_metadata.value
FROM [dbo].custctl_metadata
WHERE custctl_metadata.name IN ('environment', 'epoch', 'database_id', 'deferred_indexes', 'own_fields') UNION ALL SELECT 'schema_version', CAST(max(CASE WHEN (schema_migration.version <= 5) THEN schema_migration.version WHEN (schema_migration.name = 'migrations/0006_create_customer_words.sql') THEN 6 WHEN (schema_migration.name = 'migrations/0007_create_customer_account.sql') THEN 7 WHEN (schema_migration.name = 'migrations/0008_add_audit_login.sql') THEN 8 END) AS NVARCHAR(20)) AS max_1
FROM [dbo].schema_migration
WHERE schema_migration.state IN ('applied', 'baseline') UNION ALL SELECT 'read_only', CASE WHEN (CAST(DATABASEPROPERTYEX(DB_NAME(), N'Updateability') AS NVARCHAR(60)) = N'READ_ONLY') THEN N'yes' ELSE N'no' END AS anon_1
GO
SELECT HAS_PERMS_BY_NAME(?, N'SCHEMA', N'ALTER'), HAS_PERMS_BY_NAME(?, N'SCHEMA', N'VIEW DEFINITION')
GO

-- custctl seed --customers 2
SELECT customer_audit.id, customer_audit.operation_id, customer_audit.part, customer_audit.customer_id, customer_audit.sequence, customer_audit.action, customer_audit.actor, customer_audit.happened_at, customer_audit.version, customer_audit.fields, customer_audit.first_customer_id, customer_audit.last_customer_id, customer_audit.detail, customer_audit.held_values, customer_audit.salt, customer_audit.values_hash, customer_audit.previous_hash, customer_audit.row_hash, customer_audit.database_login
FROM [dbo].customer_audit
WHERE (customer_audit.operation_id = ? AND DATALENGTH(customer_audit.operation_id) = DATALENGTH(?)) ORDER BY customer_audit.part
GO
INSERT INTO [dbo].[customer_import_row] ([batch], [position], [email], [first_name], [last_name], [phone], [company], [address_line], [city], [region], [postal_code], [country], [status]) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
GO
SELECT s.[position], held.[id], CASE WHEN NOT EXISTS (SELECT held.[email] + N'.', held.[first_name] + N'.', held.[last_name] + N'.', held.[phone] + N'.', held.[company] + N'.', held.[address_line] + N'.', held.[city] + N'.', held.[region] + N'.', held.[postal_code] + N'.', held.[country] + N'.', held.[status] + N'.' INTERSECT SELECT s.[email] + N'.', s.[first_name] + N'.', s.[last_name] + N'.', s.[phone] + N'.', s.[company] + N'.', s.[address_line] + N'.', s.[city] + N'.', s.[region] + N'.', s.[postal_code] + N'.', s.[country] + N'.', s.[status] + N'.') THEN 1 ELSE 0 END FROM [dbo].[customer_import_row] AS s INNER JOIN [dbo].[customer] AS held ON held.[email] = s.[email] WHERE s.[batch] = ? ORDER BY held.[id]
GO
INSERT INTO [dbo].[customer] ([email], [first_name], [last_name], [phone], [company], [address_line], [city], [region], [postal_code], [country], [status]) SELECT s.[email], s.[first_name], s.[last_name], s.[phone], s.[company], s.[address_line], s.[city], s.[region], s.[postal_code], s.[country], s.[status] FROM [dbo].[customer_import_row] AS s WHERE s.[batch] = ? AND NOT EXISTS (SELECT 1 FROM [dbo].[customer] AS held WHERE held.[email] = s.[email]) ORDER BY s.[position]
GO
SELECT held.[id] FROM [dbo].[customer_import_row] AS s INNER JOIN [dbo].[customer] AS held ON held.[email] = s.[email] WHERE s.[batch] = ?
GO
DELETE FROM [dbo].[customer_import_row] WHERE [batch] = ?
GO
DECLARE @result INT, @name NVARCHAR(255) = N'custctl:…:' + CAST(DB_ID() AS NVARCHAR(10)); EXEC @result = sp_getapplock @Resource = @name, @LockMode = N'Exclusive', @LockOwner = N'Transaction', @LockTimeout = 27000; SELECT @result AS result;
GO
SELECT CAST(SYSUTCDATETIME() AS DATETIME2(3)) AS now, ORIGINAL_LOGIN() AS login, (SELECT max(customer_audit.sequence) AS max_1
FROM [dbo].customer_audit
WHERE customer_audit.customer_id = ?) AS sequence, (SELECT customer_audit.row_hash
FROM [dbo].customer_audit
WHERE customer_audit.customer_id = ? AND customer_audit.sequence = (SELECT max(customer_audit.sequence) AS max_1
FROM [dbo].customer_audit
WHERE customer_audit.customer_id = ?)) AS row_hash
GO
INSERT INTO [dbo].customer_audit (operation_id, part, customer_id, sequence, action, actor, happened_at, version, fields, first_customer_id, last_customer_id, detail, held_values, salt, values_hash, previous_hash, row_hash, database_login) OUTPUT inserted.id VALUES (?, ?, ?, ?, ?, ?, CAST(? AS DATETIME2(3)), NULL, ?, ?, ?, ?, NULL, NULL, ?, ?, ?, ORIGINAL_LOGIN())
GO

-- custctl seed
SELECT count(*) AS count
FROM [dbo].customer
GO
INSERT INTO [dbo].customer_audit (operation_id, part, customer_id, sequence, action, actor, happened_at, version, fields, first_customer_id, last_customer_id, detail, held_values, salt, values_hash, previous_hash, row_hash, database_login) OUTPUT inserted.id VALUES (?, ?, ?, ?, ?, ?, CAST(? AS DATETIME2(3)), NULL, ?, NULL, NULL, ?, NULL, NULL, ?, ?, ?, ORIGINAL_LOGIN())
GO
SET PARSEONLY OFF; SET NOEXEC OFF; SET FMTONLY OFF
GO
USE [shop]; SET LANGUAGE N'us_english'; SET DATEFIRST 7; SET ANSI_NULL_DFLT_ON ON; SET CURSOR_CLOSE_ON_COMMIT OFF; SET DEADLOCK_PRIORITY NORMAL; SET TEXTSIZE 2147483647
GO

-- custctl customer get 7
SELECT customer.id, customer.email, customer.first_name, customer.last_name, customer.phone, customer.company, customer.address_line, customer.city, customer.region, customer.postal_code, customer.country, customer.status, customer.version, customer.created_at, customer.updated_at, (SELECT custctl_metadata.value
FROM [dbo].custctl_metadata
WHERE custctl_metadata.name = 'epoch') AS epoch, (SELECT custctl_metadata.value
FROM [dbo].custctl_metadata
WHERE custctl_metadata.name = 'own_fields') AS own_fields
FROM [dbo].customer
WHERE customer.id = ?
GO

-- custctl customer get ada@example.com
SELECT customer.id, customer.email, customer.first_name, customer.last_name, customer.phone, customer.company, customer.address_line, customer.city, customer.region, customer.postal_code, customer.country, customer.status, customer.version, customer.created_at, customer.updated_at, (SELECT custctl_metadata.value
FROM [dbo].custctl_metadata
WHERE custctl_metadata.name = 'epoch') AS epoch, (SELECT custctl_metadata.value
FROM [dbo].custctl_metadata
WHERE custctl_metadata.name = 'own_fields') AS own_fields
FROM [dbo].customer
WHERE (customer.email = ? AND DATALENGTH(customer.email) = DATALENGTH(?))
GO

-- custctl customer add --email b@example.com --first-name Ada --last-name Byron
SELECT customer.id
FROM [dbo].customer
WHERE (customer.email = ? AND DATALENGTH(customer.email) = DATALENGTH(?))
GO
INSERT INTO [dbo].customer ([status], [email], [first_name], [last_name]) OUTPUT inserted.id, inserted.email, inserted.first_name, inserted.last_name, inserted.phone, inserted.company, inserted.address_line, inserted.city, inserted.region, inserted.postal_code, inserted.country, inserted.status, inserted.version, inserted.created_at, inserted.updated_at VALUES (?, ?, ?, ?)
GO
INSERT INTO [dbo].customer_audit (operation_id, part, customer_id, sequence, action, actor, happened_at, version, fields, first_customer_id, last_customer_id, detail, held_values, salt, values_hash, previous_hash, row_hash, database_login) OUTPUT inserted.id VALUES (?, ?, ?, ?, ?, ?, CAST(? AS DATETIME2(3)), ?, ?, NULL, NULL, ?, ?, ?, ?, ?, ?, ORIGINAL_LOGIN())
GO

-- custctl customer update 7 --email c@example.com --phone 1
UPDATE [dbo].customer SET [email]=?, [phone]=?, updated_at=CAST(SYSUTCDATETIME() AS DATETIME2(3)) OUTPUT inserted.id, inserted.email, inserted.first_name, inserted.last_name, inserted.phone, inserted.company, inserted.address_line, inserted.city, inserted.region, inserted.postal_code, inserted.country, inserted.status, inserted.version, inserted.created_at, inserted.updated_at WHERE customer.id = ? AND customer.version = ? AND (EXISTS (SELECT *
FROM [dbo].custctl_metadata
WHERE custctl_metadata.name = 'epoch' AND (custctl_metadata.value = ? AND DATALENGTH(custctl_metadata.value) = DATALENGTH(?))))
GO

-- custctl customer update 7 --first-name Augusta --status closed
UPDATE [dbo].customer SET [first_name]=?, [status]=?, updated_at=CAST(SYSUTCDATETIME() AS DATETIME2(3)) OUTPUT inserted.id, inserted.email, inserted.first_name, inserted.last_name, inserted.phone, inserted.company, inserted.address_line, inserted.city, inserted.region, inserted.postal_code, inserted.country, inserted.status, inserted.version, inserted.created_at, inserted.updated_at WHERE customer.id = ? AND customer.version = ? AND (EXISTS (SELECT *
FROM [dbo].custctl_metadata
WHERE custctl_metadata.name = 'epoch' AND (custctl_metadata.value = ? AND DATALENGTH(custctl_metadata.value) = DATALENGTH(?))))
GO

-- custctl customer update 7 --phone 2 --if-version e1-00000000000003e8
SELECT customer_audit.version, customer_audit.held_values
FROM [dbo].customer_audit
WHERE customer_audit.customer_id = ? AND customer_audit.held_values IS NOT NULL ORDER BY customer_audit.sequence DESC
GO
IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION
GO

-- custctl customer set-password 7 --stdin
UPDATE [dbo].customer_password SET hash=?, updated_at=CAST(SYSUTCDATETIME() AS DATETIME2(3)) WHERE customer_password.customer_id = ?
GO
INSERT INTO [dbo].customer_audit (operation_id, part, customer_id, sequence, action, actor, happened_at, version, fields, first_customer_id, last_customer_id, detail, held_values, salt, values_hash, previous_hash, row_hash, database_login) OUTPUT inserted.id VALUES (?, ?, ?, ?, ?, ?, CAST(? AS DATETIME2(3)), ?, ?, NULL, NULL, ?, NULL, NULL, ?, ?, ?, ORIGINAL_LOGIN())
GO

-- custctl customer verify-password 7 --stdin
SELECT customer_password.hash, customer.id, customer.email, customer.first_name, customer.last_name, customer.phone, customer.company, customer.address_line, customer.city, customer.region, customer.postal_code, customer.country, customer.status, customer.version, customer.created_at, customer.updated_at, (SELECT custctl_metadata.value
FROM [dbo].custctl_metadata
WHERE custctl_metadata.name = 'epoch') AS epoch, (SELECT custctl_metadata.value
FROM [dbo].custctl_metadata
WHERE custctl_metadata.name = 'own_fields') AS own_fields
FROM [dbo].customer LEFT OUTER JOIN [dbo].customer_password ON customer_password.customer_id = customer.id
WHERE customer.id = ?
GO

-- custctl customer list --sort id --limit 0
SELECT snapshot_isolation_state FROM sys.databases WHERE name = DB_NAME()
GO
SET TRANSACTION ISOLATION LEVEL SNAPSHOT
GO
SELECT 0 AS lane, NULL AS lane_key, customer.id, customer.email, customer.first_name, customer.last_name, customer.phone, customer.company, customer.address_line, customer.city, customer.region, customer.postal_code, customer.country, customer.status, customer.version, customer.created_at, customer.updated_at, (SELECT custctl_metadata.value
FROM [dbo].custctl_metadata
WHERE custctl_metadata.name = 'epoch') AS epoch, (SELECT custctl_metadata.value
FROM [dbo].custctl_metadata
WHERE custctl_metadata.name = 'own_fields') AS own_fields
FROM [dbo].customer
WHERE customer.id > ? ORDER BY customer.id
 OFFSET 0 ROWS
 FETCH FIRST ? ROWS ONLY
GO
SET TRANSACTION ISOLATION LEVEL READ COMMITTED
GO

-- custctl customer list --sort -id --limit 0
SELECT TOP 1001 0 AS lane, NULL AS lane_key, customer.id, customer.email, customer.first_name, customer.last_name, customer.phone, customer.company, customer.address_line, customer.city, customer.region, customer.postal_code, customer.country, customer.status, customer.version, customer.created_at, customer.updated_at, (SELECT custctl_metadata.value
FROM dbo.custctl_metadata
WHERE custctl_metadata.name = 'epoch') AS epoch, (SELECT custctl_metadata.value
FROM dbo.custctl_metadata
WHERE custctl_metadata.name = 'own_fields') AS own_fields
FROM dbo.customer ORDER BY customer.id DESC
GO

-- custctl customer list --sort email --limit 0
SELECT TOP 1001 0 AS lane, customer.email AS lane_key, customer.id, customer.email, customer.first_name, customer.last_name, customer.phone, customer.company, customer.address_line, customer.city, customer.region, customer.postal_code, customer.country, customer.status, customer.version, customer.created_at, customer.updated_at, (SELECT custctl_metadata.value
FROM dbo.custctl_metadata
WHERE custctl_metadata.name = 'epoch') AS epoch, (SELECT custctl_metadata.value
FROM dbo.custctl_metadata
WHERE custctl_metadata.name = 'own_fields') AS own_fields
FROM dbo.customer ORDER BY customer.email, customer.id
GO

-- custctl customer list --sort -email --limit 0
SELECT TOP 1001 0 AS lane, customer.email AS lane_key, customer.id, customer.email, customer.first_name, customer.last_name, customer.phone, customer.company, customer.address_line, customer.city, customer.region, customer.postal_code, customer.country, customer.status, customer.version, customer.created_at, customer.updated_at, (SELECT custctl_metadata.value
FROM dbo.custctl_metadata
WHERE custctl_metadata.name = 'epoch') AS epoch, (SELECT custctl_metadata.value
FROM dbo.custctl_metadata
WHERE custctl_metadata.name = 'own_fields') AS own_fields
FROM dbo.customer ORDER BY customer.email DESC, customer.id
GO

-- custctl customer list --sort company --limit 0
SELECT TOP 1001 lanes.lane, lanes.lane_key, lanes.id, lanes.email, lanes.first_name, lanes.last_name, lanes.phone, lanes.company, lanes.address_line, lanes.city, lanes.region, lanes.postal_code, lanes.country, lanes.status, lanes.version, lanes.created_at, lanes.updated_at, lanes.epoch, lanes.own_fields
FROM (SELECT lane_0.lane AS lane, lane_0.lane_key AS lane_key, lane_0.id AS id, lane_0.email AS email, lane_0.first_name AS first_name, lane_0.last_name AS last_name, lane_0.phone AS phone, lane_0.company AS company, lane_0.address_line AS address_line, lane_0.city AS city, lane_0.region AS region, lane_0.postal_code AS postal_code, lane_0.country AS country, lane_0.status AS status, lane_0.version AS version, lane_0.created_at AS created_at, lane_0.updated_at AS updated_at, lane_0.epoch AS epoch, lane_0.own_fields AS own_fields
FROM (SELECT TOP 1001 0 AS lane, customer.company AS lane_key, customer.id AS id, customer.email AS email, customer.first_name AS first_name, customer.last_name AS last_name, customer.phone AS phone, customer.company AS company, customer.address_line AS address_line, customer.city AS city, customer.region AS region, customer.postal_code AS postal_code, customer.country AS country, customer.status AS status, customer.version AS version, customer.created_at AS created_at, customer.updated_at AS updated_at, (SELECT custctl_metadata.value
FROM dbo.custctl_metadata
WHERE custctl_metadata.name = 'epoch') AS epoch, (SELECT custctl_metadata.value
FROM dbo.custctl_metadata
WHERE custctl_metadata.name = 'own_fields') AS own_fields
FROM dbo.customer
WHERE customer.company IS NOT NULL ORDER BY customer.company, customer.id) AS lane_0 UNION ALL SELECT lane_1.lane AS lane, lane_1.lane_key AS lane_key, lane_1.id AS id, lane_1.email AS email, lane_1.first_name AS first_name, lane_1.last_name AS last_name, lane_1.phone AS phone, lane_1.company AS company, lane_1.address_line AS address_line, lane_1.city AS city, lane_1.region AS region, lane_1.postal_code AS postal_code, lane_1.country AS country, lane_1.status AS status, lane_1.version AS version, lane_1.created_at AS created_at, lane_1.updated_at AS updated_at, lane_1.epoch AS epoch, lane_1.own_fields AS own_fields
FROM (SELECT TOP 1001 1 AS lane, CAST(NULL AS NVARCHAR(200)) AS lane_key, customer.id AS id, customer.email AS email, customer.first_name AS first_name, customer.last_name AS last_name, customer.phone AS phone, customer.company AS company, customer.address_line AS address_line, customer.city AS city, customer.region AS region, customer.postal_code AS postal_code, customer.country AS country, customer.status AS status, customer.version AS version, customer.created_at AS created_at, customer.updated_at AS updated_at, (SELECT custctl_metadata.value
FROM dbo.custctl_metadata
WHERE custctl_metadata.name = 'epoch') AS epoch, (SELECT custctl_metadata.value
FROM dbo.custctl_metadata
WHERE custctl_metadata.name = 'own_fields') AS own_fields
FROM dbo.customer
WHERE customer.company IS NULL ORDER BY customer.id) AS lane_1) AS lanes ORDER BY lanes.lane, lanes.lane_key, lanes.id
GO

-- custctl customer list --sort -company --limit 0
SELECT TOP 1001 lanes.lane, lanes.lane_key, lanes.id, lanes.email, lanes.first_name, lanes.last_name, lanes.phone, lanes.company, lanes.address_line, lanes.city, lanes.region, lanes.postal_code, lanes.country, lanes.status, lanes.version, lanes.created_at, lanes.updated_at, lanes.epoch, lanes.own_fields
FROM (SELECT lane_0.lane AS lane, lane_0.lane_key AS lane_key, lane_0.id AS id, lane_0.email AS email, lane_0.first_name AS first_name, lane_0.last_name AS last_name, lane_0.phone AS phone, lane_0.company AS company, lane_0.address_line AS address_line, lane_0.city AS city, lane_0.region AS region, lane_0.postal_code AS postal_code, lane_0.country AS country, lane_0.status AS status, lane_0.version AS version, lane_0.created_at AS created_at, lane_0.updated_at AS updated_at, lane_0.epoch AS epoch, lane_0.own_fields AS own_fields
FROM (SELECT TOP 1001 0 AS lane, customer.company AS lane_key, customer.id AS id, customer.email AS email, customer.first_name AS first_name, customer.last_name AS last_name, customer.phone AS phone, customer.company AS company, customer.address_line AS address_line, customer.city AS city, customer.region AS region, customer.postal_code AS postal_code, customer.country AS country, customer.status AS status, customer.version AS version, customer.created_at AS created_at, customer.updated_at AS updated_at, (SELECT custctl_metadata.value
FROM dbo.custctl_metadata
WHERE custctl_metadata.name = 'epoch') AS epoch, (SELECT custctl_metadata.value
FROM dbo.custctl_metadata
WHERE custctl_metadata.name = 'own_fields') AS own_fields
FROM dbo.customer
WHERE customer.company IS NOT NULL ORDER BY customer.company DESC, customer.id) AS lane_0 UNION ALL SELECT lane_1.lane AS lane, lane_1.lane_key AS lane_key, lane_1.id AS id, lane_1.email AS email, lane_1.first_name AS first_name, lane_1.last_name AS last_name, lane_1.phone AS phone, lane_1.company AS company, lane_1.address_line AS address_line, lane_1.city AS city, lane_1.region AS region, lane_1.postal_code AS postal_code, lane_1.country AS country, lane_1.status AS status, lane_1.version AS version, lane_1.created_at AS created_at, lane_1.updated_at AS updated_at, lane_1.epoch AS epoch, lane_1.own_fields AS own_fields
FROM (SELECT TOP 1001 1 AS lane, CAST(NULL AS NVARCHAR(200)) AS lane_key, customer.id AS id, customer.email AS email, customer.first_name AS first_name, customer.last_name AS last_name, customer.phone AS phone, customer.company AS company, customer.address_line AS address_line, customer.city AS city, customer.region AS region, customer.postal_code AS postal_code, customer.country AS country, customer.status AS status, customer.version AS version, customer.created_at AS created_at, customer.updated_at AS updated_at, (SELECT custctl_metadata.value
FROM dbo.custctl_metadata
WHERE custctl_metadata.name = 'epoch') AS epoch, (SELECT custctl_metadata.value
FROM dbo.custctl_metadata
WHERE custctl_metadata.name = 'own_fields') AS own_fields
FROM dbo.customer
WHERE customer.company IS NULL ORDER BY customer.id) AS lane_1) AS lanes ORDER BY lanes.lane, lanes.lane_key DESC, lanes.id
GO

-- custctl customer list --sort version --limit 0
SELECT TOP 1001 0 AS lane, customer.version AS lane_key, customer.id, customer.email, customer.first_name, customer.last_name, customer.phone, customer.company, customer.address_line, customer.city, customer.region, customer.postal_code, customer.country, customer.status, customer.version, customer.created_at, customer.updated_at, (SELECT custctl_metadata.value
FROM dbo.custctl_metadata
WHERE custctl_metadata.name = 'epoch') AS epoch, (SELECT custctl_metadata.value
FROM dbo.custctl_metadata
WHERE custctl_metadata.name = 'own_fields') AS own_fields
FROM dbo.customer ORDER BY customer.version, customer.id
GO

-- custctl customer list --sort -version --limit 0
SELECT TOP 1001 0 AS lane, customer.version AS lane_key, customer.id, customer.email, customer.first_name, customer.last_name, customer.phone, customer.company, customer.address_line, customer.city, customer.region, customer.postal_code, customer.country, customer.status, customer.version, customer.created_at, customer.updated_at, (SELECT custctl_metadata.value
FROM dbo.custctl_metadata
WHERE custctl_metadata.name = 'epoch') AS epoch, (SELECT custctl_metadata.value
FROM dbo.custctl_metadata
WHERE custctl_metadata.name = 'own_fields') AS own_fields
FROM dbo.customer ORDER BY customer.version DESC, customer.id
GO

-- custctl customer list --sort created_at --limit 0
SELECT TOP 1001 0 AS lane, customer.created_at AS lane_key, customer.id, customer.email, customer.first_name, customer.last_name, customer.phone, customer.company, customer.address_line, customer.city, customer.region, customer.postal_code, customer.country, customer.status, customer.version, customer.created_at, customer.updated_at, (SELECT custctl_metadata.value
FROM dbo.custctl_metadata
WHERE custctl_metadata.name = 'epoch') AS epoch, (SELECT custctl_metadata.value
FROM dbo.custctl_metadata
WHERE custctl_metadata.name = 'own_fields') AS own_fields
FROM dbo.customer ORDER BY customer.created_at, customer.id
GO

-- custctl customer list --sort -created_at --limit 0
SELECT TOP 1001 0 AS lane, customer.created_at AS lane_key, customer.id, customer.email, customer.first_name, customer.last_name, customer.phone, customer.company, customer.address_line, customer.city, customer.region, customer.postal_code, customer.country, customer.status, customer.version, customer.created_at, customer.updated_at, (SELECT custctl_metadata.value
FROM dbo.custctl_metadata
WHERE custctl_metadata.name = 'epoch') AS epoch, (SELECT custctl_metadata.value
FROM dbo.custctl_metadata
WHERE custctl_metadata.name = 'own_fields') AS own_fields
FROM dbo.customer ORDER BY customer.created_at DESC, customer.id
GO

-- custctl customer list --status active --country Spain --limit 1
SELECT 0 AS lane, NULL AS lane_key, customer.id, customer.email, customer.first_name, customer.last_name, customer.phone, customer.company, customer.address_line, customer.city, customer.region, customer.postal_code, customer.country, customer.status, customer.version, customer.created_at, customer.updated_at, (SELECT custctl_metadata.value
FROM [dbo].custctl_metadata
WHERE custctl_metadata.name = 'epoch') AS epoch, (SELECT custctl_metadata.value
FROM [dbo].custctl_metadata
WHERE custctl_metadata.name = 'own_fields') AS own_fields
FROM [dbo].customer
WHERE customer.id > ? AND (customer.status = ? AND DATALENGTH(customer.status) = DATALENGTH(?)) AND (customer.country = ? AND DATALENGTH(customer.country) = DATALENGTH(?)) ORDER BY customer.id
 OFFSET 0 ROWS
 FETCH FIRST ? ROWS ONLY
GO

-- custctl customer search ad
SELECT hit.lane, customer.id, customer.email, customer.first_name, customer.last_name, customer.phone, customer.company, customer.address_line, customer.city, customer.region, customer.postal_code, customer.country, customer.status, customer.version, customer.created_at, customer.updated_at, (SELECT custctl_metadata.value
FROM [dbo].custctl_metadata
WHERE custctl_metadata.name = 'epoch') AS epoch, (SELECT custctl_metadata.value
FROM [dbo].custctl_metadata
WHERE custctl_metadata.name = 'own_fields') AS own_fields
FROM [dbo].customer JOIN (SELECT TOP (CAST(? AS BIGINT)) lane, id FROM (SELECT CASE WHEN search_words LIKE ? THEN 1 ELSE 2 END AS lane, id FROM [dbo].[customer] WHERE search_words LIKE ?) AS found WHERE lane > ? OR (lane = ? AND id > ?) ORDER BY lane, id) AS hit ON customer.id = hit.id ORDER BY hit.lane, hit.id
GO

-- custctl customer search 50%_σ --contains
SELECT hit.lane, customer.id, customer.email, customer.first_name, customer.last_name, customer.phone, customer.company, customer.address_line, customer.city, customer.region, customer.postal_code, customer.country, customer.status, customer.version, customer.created_at, customer.updated_at, (SELECT custctl_metadata.value
FROM [dbo].custctl_metadata
WHERE custctl_metadata.name = 'epoch') AS epoch, (SELECT custctl_metadata.value
FROM [dbo].custctl_metadata
WHERE custctl_metadata.name = 'own_fields') AS own_fields
FROM [dbo].customer JOIN (SELECT TOP (CAST(? AS BIGINT)) 0 AS lane, id FROM [dbo].[customer] WHERE (CHARINDEX(?, search_words) > 0) AND id > ? ORDER BY id) AS hit ON customer.id = hit.id ORDER BY hit.lane, hit.id
GO

-- custctl customer history 7
SELECT customer_audit.id, customer_audit.operation_id, customer_audit.part, customer_audit.customer_id, customer_audit.sequence, customer_audit.action, customer_audit.actor, customer_audit.happened_at, customer_audit.version, customer_audit.fields, customer_audit.first_customer_id, customer_audit.last_customer_id, customer_audit.detail, customer_audit.held_values, customer_audit.salt, customer_audit.values_hash, customer_audit.previous_hash, customer_audit.row_hash, customer_audit.database_login
FROM [dbo].customer_audit
WHERE customer_audit.customer_id = ? OR customer_audit.customer_id = 0 AND customer_audit.last_customer_id >= ? AND customer_audit.first_customer_id <= ? ORDER BY customer_audit.id
GO

-- custctl customer import - --on-conflict fail
SELECT customer_import.position
FROM [dbo].customer_import
WHERE (customer_import.[key] = ? AND DATALENGTH(customer_import.[key]) = DATALENGTH(?))
GO
INSERT INTO [dbo].[customer_import_row] ([batch], [position], [email], [first_name], [last_name], [phone]) VALUES (?, ?, ?, ?, ?, ?)
GO
SELECT s.[position], held.[id], CASE WHEN NOT EXISTS (SELECT held.[email] + N'.', held.[first_name] + N'.', held.[last_name] + N'.', held.[phone] + N'.' INTERSECT SELECT s.[email] + N'.', s.[first_name] + N'.', s.[last_name] + N'.', s.[phone] + N'.') THEN 1 ELSE 0 END FROM [dbo].[customer_import_row] AS s INNER JOIN [dbo].[customer] AS held ON held.[email] = s.[email] WHERE s.[batch] = ? ORDER BY held.[id]
GO
INSERT INTO [dbo].[customer] ([email], [first_name], [last_name], [phone]) SELECT s.[email], s.[first_name], s.[last_name], s.[phone] FROM [dbo].[customer_import_row] AS s WHERE s.[batch] = ? AND NOT EXISTS (SELECT 1 FROM [dbo].[customer] AS held WHERE held.[email] = s.[email]) ORDER BY s.[position]
GO
DELETE FROM [dbo].customer_import WHERE (customer_import.[key] = ? AND DATALENGTH(customer_import.[key]) = DATALENGTH(?))
GO

-- custctl customer import - --on-conflict update
SELECT s.[position], held.[id], CASE WHEN NOT EXISTS (SELECT held.[email] + N'.', held.[first_name] + N'.', held.[last_name] + N'.', held.[phone] + N'.' INTERSECT SELECT s.[email] + N'.', s.[first_name] + N'.', s.[last_name] + N'.', s.[phone] + N'.') THEN 1 ELSE 0 END FROM [dbo].[customer_import_row] AS s INNER JOIN [dbo].[customer] AS held WITH (UPDLOCK) ON held.[email] = s.[email] WHERE s.[batch] = ? ORDER BY held.[id]
GO
UPDATE held SET [email] = s.[email], [first_name] = s.[first_name], [last_name] = s.[last_name], [phone] = s.[phone], [updated_at] = CAST(SYSUTCDATETIME() AS DATETIME2(3)) FROM [dbo].[customer_import_row] AS s INNER JOIN [dbo].[customer] AS held ON held.[email] = s.[email] WHERE s.[batch] = ? AND NOT EXISTS (SELECT held.[email] + N'.', held.[first_name] + N'.', held.[last_name] + N'.', held.[phone] + N'.' INTERSECT SELECT s.[email] + N'.', s.[first_name] + N'.', s.[last_name] + N'.', s.[phone] + N'.')
GO

-- custctl customer export
SELECT customer.id, customer.email, customer.first_name, customer.last_name, customer.phone, customer.company, customer.address_line, customer.city, customer.region, customer.postal_code, customer.country, customer.status, customer.version, customer.created_at, customer.updated_at
FROM [dbo].customer
WHERE customer.id > ? ORDER BY customer.id
GO

-- custctl audit list --customer 7
SELECT TOP 51 customer_audit.id, customer_audit.operation_id, customer_audit.part, customer_audit.customer_id, customer_audit.sequence, customer_audit.action, customer_audit.actor, customer_audit.happened_at, customer_audit.version, customer_audit.fields, customer_audit.first_customer_id, customer_audit.last_customer_id, customer_audit.detail, customer_audit.values_hash, customer_audit.previous_hash, customer_audit.row_hash, customer_audit.database_login
FROM dbo.customer_audit
WHERE customer_audit.customer_id = ? ORDER BY customer_audit.id DESC
GO

-- custctl audit list --operation 6f0e8c1a-0000-4000-8000-000000000001
SELECT TOP 51 customer_audit.id, customer_audit.operation_id, customer_audit.part, customer_audit.customer_id, customer_audit.sequence, customer_audit.action, customer_audit.actor, customer_audit.happened_at, customer_audit.version, customer_audit.fields, customer_audit.first_customer_id, customer_audit.last_customer_id, customer_audit.detail, customer_audit.values_hash, customer_audit.previous_hash, customer_audit.row_hash, customer_audit.database_login
FROM dbo.customer_audit
WHERE (customer_audit.operation_id = ? AND DATALENGTH(customer_audit.operation_id) = DATALENGTH(?)) ORDER BY customer_audit.id DESC
GO

-- custctl customer delete 7 --yes
DELETE FROM [dbo].customer_password WHERE customer_password.customer_id = ?
GO
DELETE FROM [dbo].customer OUTPUT deleted.id WHERE customer.id = ? AND customer.version = ? AND (EXISTS (SELECT *
FROM [dbo].custctl_metadata
WHERE custctl_metadata.name = 'epoch' AND (custctl_metadata.value = ? AND DATALENGTH(custctl_metadata.value) = DATALENGTH(?))))
GO
UPDATE [dbo].customer_audit SET held_values=NULL, salt=NULL WHERE customer_audit.customer_id = ? AND customer_audit.held_values IS NOT NULL
GO

-- custctl audit verify
SELECT min(customer_audit.id) AS min_1
FROM dbo.customer_audit
WHERE customer_audit.database_login IS NOT NULL
GO
SELECT customer_audit.id, customer_audit.operation_id, customer_audit.part, customer_audit.customer_id, customer_audit.sequence, customer_audit.action, customer_audit.actor, customer_audit.happened_at, customer_audit.version, customer_audit.fields, customer_audit.first_customer_id, customer_audit.last_customer_id, customer_audit.detail, customer_audit.held_values, customer_audit.salt, customer_audit.values_hash, customer_audit.previous_hash, customer_audit.row_hash, customer_audit.database_login
FROM dbo.customer_audit ORDER BY customer_audit.customer_id, customer_audit.sequence, customer_audit.id
GO
SELECT customer_audit.id, customer_audit.row_hash
FROM dbo.customer_audit ORDER BY customer_audit.id
GO
SELECT CAST(SYSUTCDATETIME() AS DATETIME2(3)) AS now
GO

-- custctl migrate repair --env test --environment test --yes
DELETE FROM [dbo].custctl_metadata WHERE (custctl_metadata.name = ? AND DATALENGTH(custctl_metadata.name) = DATALENGTH(?))
GO
