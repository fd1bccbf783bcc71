"""The program's own statements, compiled for this engine from SQLAlchemy Core; `make statements` writes this file."""

from __future__ import annotations

from custctl.engines.connection import Prepared

STATEMENTS: dict[str, Prepared] = {
    "audit.action": (
        "SELECT {schema}.customer_audit.action\nFROM {schema}.customer_audit\nWHERE ({schema}.customer_audit.operation_id = ? AND DATALENGTH({schema}.customer_audit.operation_id) = DATALENGTH(?)) AND {schema}.customer_audit.part = ?",
        ("operation:text", "operation:text", "number_of_part"),
    ),
    "audit.append": (
        "INSERT INTO {schema}.customer_audit (operation_id, part, customer_id, sequence, action, actor, happened_at, version, fields, first_customer_id, last_customer_id, detail, held_values, salt, values_hash, previous_hash, row_hash, database_login) OUTPUT inserted.id VALUES (?, ?, ?, ?, ?, ?, CAST(? AS DATETIME2(3)), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ORIGINAL_LOGIN())",
        (
            "operation_id:text",
            "part",
            "customer_id",
            "sequence",
            "action:text",
            "actor:text",
            "happened_at:time",
            "version:text",
            "fields:text",
            "first_customer_id",
            "last_customer_id",
            "detail:long",
            "held_values:long",
            "salt:text",
            "values_hash:text",
            "previous_hash:text",
            "row_hash:text",
        ),
    ),
    "audit.changes": (
        "SELECT {schema}.customer_audit.id, {schema}.customer_audit.operation_id, {schema}.customer_audit.part, {schema}.customer_audit.customer_id, {schema}.customer_audit.sequence, {schema}.customer_audit.action, {schema}.customer_audit.actor, {schema}.customer_audit.happened_at, {schema}.customer_audit.version, {schema}.customer_audit.fields, {schema}.customer_audit.first_customer_id, {schema}.customer_audit.last_customer_id, {schema}.customer_audit.detail, {schema}.customer_audit.values_hash, {schema}.customer_audit.previous_hash, {schema}.customer_audit.row_hash, {schema}.customer_audit.database_login\nFROM {schema}.customer_audit\nWHERE {schema}.customer_audit.customer_id = 0 AND {schema}.customer_audit.action IN ('switchover', 'failover') ORDER BY {schema}.customer_audit.sequence",
        (),
    ),
    "audit.ends": (
        "SELECT CAST(SYSUTCDATETIME() AS DATETIME2(3)) AS now, ORIGINAL_LOGIN() AS login, (SELECT max({schema}.customer_audit.sequence) AS max_1\nFROM {schema}.customer_audit\nWHERE {schema}.customer_audit.customer_id = ?) AS sequence, (SELECT {schema}.customer_audit.row_hash\nFROM {schema}.customer_audit\nWHERE {schema}.customer_audit.customer_id = ? AND {schema}.customer_audit.sequence = (SELECT max({schema}.customer_audit.sequence) AS max_1\nFROM {schema}.customer_audit\nWHERE {schema}.customer_audit.customer_id = ?)) AS row_hash",
        ("number", "number", "number"),
    ),
    "audit.erase": (
        "UPDATE {schema}.customer_audit SET held_values=NULL, salt=NULL WHERE {schema}.customer_audit.customer_id = ? AND {schema}.customer_audit.held_values IS NOT NULL",
        ("number",),
    ),
    "audit.history": (
        "SELECT {schema}.customer_audit.id, {schema}.customer_audit.operation_id, {schema}.customer_audit.part, {schema}.customer_audit.customer_id, {schema}.customer_audit.sequence, {schema}.customer_audit.action, {schema}.customer_audit.actor, {schema}.customer_audit.happened_at, {schema}.customer_audit.version, {schema}.customer_audit.fields, {schema}.customer_audit.first_customer_id, {schema}.customer_audit.last_customer_id, {schema}.customer_audit.detail, {schema}.customer_audit.held_values, {schema}.customer_audit.salt, {schema}.customer_audit.values_hash, {schema}.customer_audit.previous_hash, {schema}.customer_audit.row_hash, {schema}.customer_audit.database_login\nFROM {schema}.customer_audit\nWHERE {schema}.customer_audit.customer_id = ? OR {schema}.customer_audit.customer_id = 0 AND {schema}.customer_audit.last_customer_id >= ? AND {schema}.customer_audit.first_customer_id <= ? ORDER BY {schema}.customer_audit.id",
        ("number", "number", "number"),
    ),
    "audit.history_facts": (
        "SELECT {schema}.customer_audit.id, {schema}.customer_audit.operation_id, {schema}.customer_audit.part, {schema}.customer_audit.customer_id, {schema}.customer_audit.sequence, {schema}.customer_audit.action, {schema}.customer_audit.actor, {schema}.customer_audit.happened_at, {schema}.customer_audit.version, {schema}.customer_audit.fields, {schema}.customer_audit.first_customer_id, {schema}.customer_audit.last_customer_id, {schema}.customer_audit.detail, {schema}.customer_audit.values_hash, {schema}.customer_audit.previous_hash, {schema}.customer_audit.row_hash, {schema}.customer_audit.database_login\nFROM {schema}.customer_audit\nWHERE {schema}.customer_audit.customer_id = ? OR {schema}.customer_audit.customer_id = 0 AND {schema}.customer_audit.last_customer_id >= ? AND {schema}.customer_audit.first_customer_id <= ? ORDER BY {schema}.customer_audit.id",
        ("number", "number", "number"),
    ),
    "audit.operation": (
        "SELECT {schema}.customer_audit.id, {schema}.customer_audit.operation_id, {schema}.customer_audit.part, {schema}.customer_audit.customer_id, {schema}.customer_audit.sequence, {schema}.customer_audit.action, {schema}.customer_audit.actor, {schema}.customer_audit.happened_at, {schema}.customer_audit.version, {schema}.customer_audit.fields, {schema}.customer_audit.first_customer_id, {schema}.customer_audit.last_customer_id, {schema}.customer_audit.detail, {schema}.customer_audit.held_values, {schema}.customer_audit.salt, {schema}.customer_audit.values_hash, {schema}.customer_audit.previous_hash, {schema}.customer_audit.row_hash, {schema}.customer_audit.database_login\nFROM {schema}.customer_audit\nWHERE ({schema}.customer_audit.operation_id = ? AND DATALENGTH({schema}.customer_audit.operation_id) = DATALENGTH(?)) ORDER BY {schema}.customer_audit.part",
        ("operation:text", "operation:text"),
    ),
    "audit.values": (
        "SELECT {schema}.customer_audit.version, {schema}.customer_audit.held_values\nFROM {schema}.customer_audit\nWHERE {schema}.customer_audit.customer_id = ? AND {schema}.customer_audit.held_values IS NOT NULL ORDER BY {schema}.customer_audit.sequence DESC",
        ("number",),
    ),
    "clock.now": ("SELECT CAST(SYSUTCDATETIME() AS DATETIME2(3)) AS now", ()),
    "create.custctl_metadata": (
        "CREATE TABLE {schema}.custctl_metadata (\n\tname NVARCHAR(200) COLLATE Latin1_General_BIN2 NOT NULL, \n\tvalue NVARCHAR(max) COLLATE Latin1_General_BIN2 NOT NULL, \n\tCONSTRAINT custctl_metadata_pk PRIMARY KEY (name)\n)",
        (),
    ),
    "create.schema_migration": (
        "CREATE TABLE {schema}.schema_migration (\n\tid BIGINT NOT NULL IDENTITY, \n\tversion BIGINT NULL, \n\tname NVARCHAR(255) COLLATE Latin1_General_BIN2 NOT NULL, \n\tdescription NVARCHAR(255) COLLATE Latin1_General_BIN2 NOT NULL, \n\tkind NVARCHAR(20) COLLATE Latin1_General_BIN2 NOT NULL, \n\tchecksum NVARCHAR(80) COLLATE Latin1_General_BIN2 NOT NULL, \n\tscript NVARCHAR(max) COLLATE Latin1_General_BIN2 NOT NULL, \n\tstate NVARCHAR(20) COLLATE Latin1_General_BIN2 NOT NULL, \n\tstatements_applied INTEGER NOT NULL, \n\tstatements_total INTEGER NOT NULL, \n\tin_flight INTEGER NULL, \n\terror NVARCHAR(max) COLLATE Latin1_General_BIN2 NULL, \n\tstarted_at DATETIME2(3) NOT NULL, \n\tfinished_at DATETIME2(3) NULL, \n\tduration_ms BIGINT NULL, \n\tapplied_by NVARCHAR(200) COLLATE Latin1_General_BIN2 NOT NULL, \n\ttool_version NVARCHAR(40) COLLATE Latin1_General_BIN2 NOT NULL, \n\tCONSTRAINT schema_migration_pk PRIMARY KEY (id)\n);\nCREATE INDEX [schema_migration_version] ON {schema}.[schema_migration] ([version]);\nCREATE UNIQUE INDEX [schema_migration_name_unique] ON {schema}.[schema_migration] ([name])",
        (),
    ),
    "customer.add": (
        "INSERT INTO {schema}.customer ({columns}) OUTPUT inserted.id, inserted.email, inserted.first_name, inserted.last_name, inserted.phone, inserted.company, inserted.address_line, inserted.city, inserted.region, inserted.postal_code, inserted.country, inserted.status, inserted.version, inserted.created_at, inserted.updated_at VALUES ({values})",
        ("*",),
    ),
    "customer.by_email": (
        "SELECT {schema}.customer.id, {schema}.customer.email, {schema}.customer.first_name, {schema}.customer.last_name, {schema}.customer.phone, {schema}.customer.company, {schema}.customer.address_line, {schema}.customer.city, {schema}.customer.region, {schema}.customer.postal_code, {schema}.customer.country, {schema}.customer.status, {schema}.customer.version, {schema}.customer.created_at, {schema}.customer.updated_at{own}, (SELECT {schema}.custctl_metadata.value\nFROM {schema}.custctl_metadata\nWHERE {schema}.custctl_metadata.name = 'epoch') AS epoch, (SELECT {schema}.custctl_metadata.value\nFROM {schema}.custctl_metadata\nWHERE {schema}.custctl_metadata.name = 'own_fields') AS own_fields\nFROM {schema}.customer\nWHERE ({schema}.customer.email = ? AND DATALENGTH({schema}.customer.email) = DATALENGTH(?))",
        ("who:text", "who:text"),
    ),
    "customer.by_id": (
        "SELECT {schema}.customer.id, {schema}.customer.email, {schema}.customer.first_name, {schema}.customer.last_name, {schema}.customer.phone, {schema}.customer.company, {schema}.customer.address_line, {schema}.customer.city, {schema}.customer.region, {schema}.customer.postal_code, {schema}.customer.country, {schema}.customer.status, {schema}.customer.version, {schema}.customer.created_at, {schema}.customer.updated_at{own}, (SELECT {schema}.custctl_metadata.value\nFROM {schema}.custctl_metadata\nWHERE {schema}.custctl_metadata.name = 'epoch') AS epoch, (SELECT {schema}.custctl_metadata.value\nFROM {schema}.custctl_metadata\nWHERE {schema}.custctl_metadata.name = 'own_fields') AS own_fields\nFROM {schema}.customer\nWHERE {schema}.customer.id = ?",
        ("who",),
    ),
    "customer.count": ("SELECT count(*) AS count\nFROM {schema}.customer", ()),
    "customer.delete": (
        "DELETE FROM {schema}.customer OUTPUT deleted.id WHERE {schema}.customer.id = ? AND {schema}.customer.version = ? AND (EXISTS (SELECT *\nFROM {schema}.custctl_metadata\nWHERE {schema}.custctl_metadata.name = 'epoch' AND ({schema}.custctl_metadata.value = ? AND DATALENGTH({schema}.custctl_metadata.value) = DATALENGTH(?))))",
        ("id", "held_version", "held_epoch:long", "held_epoch:long"),
    ),
    "customer.export": (
        "SELECT {schema}.customer.id, {schema}.customer.email, {schema}.customer.first_name, {schema}.customer.last_name, {schema}.customer.phone, {schema}.customer.company, {schema}.customer.address_line, {schema}.customer.city, {schema}.customer.region, {schema}.customer.postal_code, {schema}.customer.country, {schema}.customer.status, {schema}.customer.version, {schema}.customer.created_at, {schema}.customer.updated_at{own}\nFROM {schema}.customer\nWHERE {schema}.customer.id > ? ORDER BY {schema}.customer.id",
        ("after",),
    ),
    "customer.export_joined": (
        "SELECT {schema}.customer.id, {schema}.customer.email, {schema}.customer.first_name, {schema}.customer.last_name, {schema}.customer.phone, {schema}.customer.company, {schema}.customer.address_line, {schema}.customer.city, {schema}.customer.region, {schema}.customer.postal_code, {schema}.customer.country, {schema}.customer.status, {schema}.customer.version, {schema}.customer.created_at, {schema}.customer.updated_at\nFROM {schema}.customer\nWHERE {schema}.customer.id > ? ORDER BY {schema}.customer.id",
        ("after",),
    ),
    "customer.id_by_email": (
        "SELECT {schema}.customer.id\nFROM {schema}.customer\nWHERE ({schema}.customer.email = ? AND DATALENGTH({schema}.customer.email) = DATALENGTH(?))",
        ("who:text", "who:text"),
    ),
    "customer.id_by_id": (
        "SELECT {schema}.customer.id\nFROM {schema}.customer\nWHERE {schema}.customer.id = ?",
        ("who",),
    ),
    "customer.row": (
        "SELECT {schema}.customer.id, {schema}.customer.email, {schema}.customer.first_name, {schema}.customer.last_name, {schema}.customer.phone, {schema}.customer.company, {schema}.customer.address_line, {schema}.customer.city, {schema}.customer.region, {schema}.customer.postal_code, {schema}.customer.country, {schema}.customer.status, {schema}.customer.version, {schema}.customer.created_at, {schema}.customer.updated_at{own}\nFROM {schema}.customer\nWHERE {schema}.customer.id = ?",
        ("id",),
    ),
    "customer.update": (
        "UPDATE {schema}.customer SET {set}, updated_at=CAST(SYSUTCDATETIME() AS DATETIME2(3)) OUTPUT inserted.id, inserted.email, inserted.first_name, inserted.last_name, inserted.phone, inserted.company, inserted.address_line, inserted.city, inserted.region, inserted.postal_code, inserted.country, inserted.status, inserted.version, inserted.created_at, inserted.updated_at WHERE {schema}.customer.id = ? AND {schema}.customer.version = ? AND (EXISTS (SELECT *\nFROM {schema}.custctl_metadata\nWHERE {schema}.custctl_metadata.name = 'epoch' AND ({schema}.custctl_metadata.value = ? AND DATALENGTH({schema}.custctl_metadata.value) = DATALENGTH(?))))",
        ("*", "id", "held_version", "held_epoch:long", "held_epoch:long"),
    ),
    "customer.with_hash_by_email": (
        "SELECT {schema}.customer_password.hash, {schema}.customer.id, {schema}.customer.email, {schema}.customer.first_name, {schema}.customer.last_name, {schema}.customer.phone, {schema}.customer.company, {schema}.customer.address_line, {schema}.customer.city, {schema}.customer.region, {schema}.customer.postal_code, {schema}.customer.country, {schema}.customer.status, {schema}.customer.version, {schema}.customer.created_at, {schema}.customer.updated_at{own}, (SELECT {schema}.custctl_metadata.value\nFROM {schema}.custctl_metadata\nWHERE {schema}.custctl_metadata.name = 'epoch') AS epoch, (SELECT {schema}.custctl_metadata.value\nFROM {schema}.custctl_metadata\nWHERE {schema}.custctl_metadata.name = 'own_fields') AS own_fields\nFROM {schema}.customer LEFT OUTER JOIN {schema}.customer_password ON {schema}.customer_password.customer_id = {schema}.customer.id\nWHERE ({schema}.customer.email = ? AND DATALENGTH({schema}.customer.email) = DATALENGTH(?))",
        ("who:text", "who:text"),
    ),
    "customer.with_hash_by_id": (
        "SELECT {schema}.customer_password.hash, {schema}.customer.id, {schema}.customer.email, {schema}.customer.first_name, {schema}.customer.last_name, {schema}.customer.phone, {schema}.customer.company, {schema}.customer.address_line, {schema}.customer.city, {schema}.customer.region, {schema}.customer.postal_code, {schema}.customer.country, {schema}.customer.status, {schema}.customer.version, {schema}.customer.created_at, {schema}.customer.updated_at{own}, (SELECT {schema}.custctl_metadata.value\nFROM {schema}.custctl_metadata\nWHERE {schema}.custctl_metadata.name = 'epoch') AS epoch, (SELECT {schema}.custctl_metadata.value\nFROM {schema}.custctl_metadata\nWHERE {schema}.custctl_metadata.name = 'own_fields') AS own_fields\nFROM {schema}.customer LEFT OUTER JOIN {schema}.customer_password ON {schema}.customer_password.customer_id = {schema}.customer.id\nWHERE {schema}.customer.id = ?",
        ("who",),
    ),
    "database.read_only": (
        "SELECT CASE WHEN (CAST(DATABASEPROPERTYEX(DB_NAME(), N'Updateability') AS NVARCHAR(60)) = N'READ_ONLY') THEN N'yes' ELSE N'no' END AS read_only",
        (),
    ),
    "import.delete": (
        "DELETE FROM {schema}.customer_import WHERE ({schema}.customer_import.[key] = ? AND DATALENGTH({schema}.customer_import.[key]) = DATALENGTH(?))",
        ("of:text", "of:text"),
    ),
    "import.insert": (
        "INSERT INTO {schema}.customer_import ([key], position, updated_at) VALUES (?, ?, CAST(SYSUTCDATETIME() AS DATETIME2(3)))",
        ("of:text", "reached:long"),
    ),
    "import.position": (
        "SELECT {schema}.customer_import.position\nFROM {schema}.customer_import\nWHERE ({schema}.customer_import.[key] = ? AND DATALENGTH({schema}.customer_import.[key]) = DATALENGTH(?))",
        ("of:text", "of:text"),
    ),
    "import.update": (
        "UPDATE {schema}.customer_import SET position=?, updated_at=CAST(SYSUTCDATETIME() AS DATETIME2(3)) WHERE ({schema}.customer_import.[key] = ? AND DATALENGTH({schema}.customer_import.[key]) = DATALENGTH(?))",
        ("reached:long", "of:text", "of:text"),
    ),
    "journal.accept_by_name": (
        "UPDATE {schema}.schema_migration SET checksum=?, script=? WHERE ({schema}.schema_migration.name = ? AND DATALENGTH({schema}.schema_migration.name) = DATALENGTH(?))",
        ("new_checksum:text", "new_script:long", "script_key:text", "script_key:text"),
    ),
    "journal.accept_by_version": (
        "UPDATE {schema}.schema_migration SET checksum=?, script=? WHERE {schema}.schema_migration.version = ?",
        ("new_checksum:text", "new_script:long", "script_key"),
    ),
    "journal.all": (
        "SELECT {schema}.schema_migration.id, {schema}.schema_migration.version, {schema}.schema_migration.name, {schema}.schema_migration.description, {schema}.schema_migration.kind, {schema}.schema_migration.checksum, {schema}.schema_migration.script, {schema}.schema_migration.state, {schema}.schema_migration.statements_applied, {schema}.schema_migration.statements_total, {schema}.schema_migration.in_flight, {schema}.schema_migration.error, {schema}.schema_migration.started_at, {schema}.schema_migration.finished_at, {schema}.schema_migration.duration_ms, {schema}.schema_migration.applied_by, {schema}.schema_migration.tool_version\nFROM {schema}.schema_migration ORDER BY {schema}.schema_migration.id",
        (),
    ),
    "journal.fail": (
        "UPDATE {schema}.schema_migration SET state='failed', in_flight=NULL, finished_at=CAST(SYSUTCDATETIME() AS DATETIME2(3)) WHERE {schema}.schema_migration.id = ?",
        ("row",),
    ),
    "journal.holder": (
        "SELECT {schema}.schema_migration.name\nFROM {schema}.schema_migration\nWHERE {schema}.schema_migration.version = ?",
        ("script_key",),
    ),
    "journal.insert_ended": (
        "INSERT INTO {schema}.schema_migration (version, name, description, kind, checksum, script, state, statements_applied, statements_total, in_flight, error, started_at, finished_at, duration_ms, applied_by, tool_version) OUTPUT inserted.id VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, CAST(? AS DATETIME2(3)), CAST(SYSUTCDATETIME() AS DATETIME2(3)), ?, ?, ?)",
        (
            "version",
            "name:text",
            "description:text",
            "kind:text",
            "checksum:text",
            "script:long",
            "state:text",
            "statements_applied",
            "statements_total",
            "in_flight",
            "error:long",
            "started_at:time",
            "duration_ms",
            "applied_by:text",
            "tool_version:text",
        ),
    ),
    "journal.insert_running": (
        "INSERT INTO {schema}.schema_migration (version, name, description, kind, checksum, script, state, statements_applied, statements_total, in_flight, error, started_at, finished_at, duration_ms, applied_by, tool_version) OUTPUT inserted.id VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, CAST(? AS DATETIME2(3)), NULL, ?, ?, ?)",
        (
            "version",
            "name:text",
            "description:text",
            "kind:text",
            "checksum:text",
            "script:long",
            "state:text",
            "statements_applied",
            "statements_total",
            "in_flight",
            "error:long",
            "started_at:time",
            "duration_ms",
            "applied_by:text",
            "tool_version:text",
        ),
    ),
    "journal.progress_by_name": (
        "UPDATE {schema}.schema_migration SET statements_applied=?, in_flight=? WHERE ({schema}.schema_migration.name = ? AND DATALENGTH({schema}.schema_migration.name) = DATALENGTH(?))",
        ("applied", "running_one", "script_key:text", "script_key:text"),
    ),
    "journal.progress_by_version": (
        "UPDATE {schema}.schema_migration SET statements_applied=?, in_flight=? WHERE {schema}.schema_migration.version = ?",
        ("applied", "running_one", "script_key"),
    ),
    "journal.recheck_by_name": (
        "SELECT clock.now, {schema}.schema_migration.id, {schema}.schema_migration.state, {schema}.schema_migration.checksum, {schema}.schema_migration.statements_applied, {schema}.schema_migration.in_flight\nFROM (SELECT CAST(SYSUTCDATETIME() AS DATETIME2(3)) AS now) AS clock LEFT OUTER JOIN {schema}.schema_migration ON ({schema}.schema_migration.name = ? AND DATALENGTH({schema}.schema_migration.name) = DATALENGTH(?))",
        ("script_key:text", "script_key:text"),
    ),
    "journal.recheck_by_version": (
        "SELECT clock.now, {schema}.schema_migration.id, {schema}.schema_migration.state, {schema}.schema_migration.checksum, {schema}.schema_migration.statements_applied, {schema}.schema_migration.in_flight\nFROM (SELECT CAST(SYSUTCDATETIME() AS DATETIME2(3)) AS now) AS clock LEFT OUTER JOIN {schema}.schema_migration ON {schema}.schema_migration.version = ?",
        ("script_key",),
    ),
    "journal.state_by_name": (
        "SELECT {schema}.schema_migration.state, {schema}.schema_migration.checksum\nFROM {schema}.schema_migration\nWHERE ({schema}.schema_migration.name = ? AND DATALENGTH({schema}.schema_migration.name) = DATALENGTH(?))",
        ("script_key:text", "script_key:text"),
    ),
    "journal.state_by_version": (
        "SELECT {schema}.schema_migration.state, {schema}.schema_migration.checksum\nFROM {schema}.schema_migration\nWHERE {schema}.schema_migration.version = ?",
        ("script_key",),
    ),
    "journal.update_ended_by_name": (
        "UPDATE {schema}.schema_migration SET version=?, name=?, description=?, kind=?, checksum=?, script=?, state=?, statements_applied=?, statements_total=?, in_flight=?, error=?, started_at=CAST(? AS DATETIME2(3)), finished_at=CAST(SYSUTCDATETIME() AS DATETIME2(3)), duration_ms=?, applied_by=?, tool_version=? WHERE ({schema}.schema_migration.name = ? AND DATALENGTH({schema}.schema_migration.name) = DATALENGTH(?))",
        (
            "version",
            "name:text",
            "description:text",
            "kind:text",
            "checksum:text",
            "script:long",
            "state:text",
            "statements_applied",
            "statements_total",
            "in_flight",
            "error:long",
            "started_at:time",
            "duration_ms",
            "applied_by:text",
            "tool_version:text",
            "script_key:text",
            "script_key:text",
        ),
    ),
    "journal.update_ended_by_version": (
        "UPDATE {schema}.schema_migration SET version=?, name=?, description=?, kind=?, checksum=?, script=?, state=?, statements_applied=?, statements_total=?, in_flight=?, error=?, started_at=CAST(? AS DATETIME2(3)), finished_at=CAST(SYSUTCDATETIME() AS DATETIME2(3)), duration_ms=?, applied_by=?, tool_version=? WHERE {schema}.schema_migration.version = ?",
        (
            "version",
            "name:text",
            "description:text",
            "kind:text",
            "checksum:text",
            "script:long",
            "state:text",
            "statements_applied",
            "statements_total",
            "in_flight",
            "error:long",
            "started_at:time",
            "duration_ms",
            "applied_by:text",
            "tool_version:text",
            "script_key",
        ),
    ),
    "journal.update_running_by_name": (
        "UPDATE {schema}.schema_migration SET version=?, name=?, description=?, kind=?, checksum=?, script=?, state=?, statements_applied=?, statements_total=?, in_flight=?, error=?, started_at=CAST(? AS DATETIME2(3)), finished_at=NULL, duration_ms=?, applied_by=?, tool_version=? WHERE ({schema}.schema_migration.name = ? AND DATALENGTH({schema}.schema_migration.name) = DATALENGTH(?))",
        (
            "version",
            "name:text",
            "description:text",
            "kind:text",
            "checksum:text",
            "script:long",
            "state:text",
            "statements_applied",
            "statements_total",
            "in_flight",
            "error:long",
            "started_at:time",
            "duration_ms",
            "applied_by:text",
            "tool_version:text",
            "script_key:text",
            "script_key:text",
        ),
    ),
    "journal.update_running_by_version": (
        "UPDATE {schema}.schema_migration SET version=?, name=?, description=?, kind=?, checksum=?, script=?, state=?, statements_applied=?, statements_total=?, in_flight=?, error=?, started_at=CAST(? AS DATETIME2(3)), finished_at=NULL, duration_ms=?, applied_by=?, tool_version=? WHERE {schema}.schema_migration.version = ?",
        (
            "version",
            "name:text",
            "description:text",
            "kind:text",
            "checksum:text",
            "script:long",
            "state:text",
            "statements_applied",
            "statements_total",
            "in_flight",
            "error:long",
            "started_at:time",
            "duration_ms",
            "applied_by:text",
            "tool_version:text",
            "script_key",
        ),
    ),
    "metadata.all": (
        "SELECT {schema}.custctl_metadata.name, {schema}.custctl_metadata.value\nFROM {schema}.custctl_metadata",
        (),
    ),
    "metadata.delete": (
        "DELETE FROM {schema}.custctl_metadata WHERE ({schema}.custctl_metadata.name = ? AND DATALENGTH({schema}.custctl_metadata.name) = DATALENGTH(?))",
        ("key:text", "key:text"),
    ),
    "metadata.insert": (
        "INSERT INTO {schema}.custctl_metadata (name, value) VALUES (?, ?)",
        ("key:text", "value:long"),
    ),
    "metadata.standing": (
        "SELECT {schema}.custctl_metadata.name, {schema}.custctl_metadata.value\nFROM {schema}.custctl_metadata\nWHERE {schema}.custctl_metadata.name IN ('environment', 'epoch', 'database_id', 'deferred_indexes', 'own_fields') UNION ALL SELECT 'schema_version', CAST(max(CASE WHEN ({schema}.schema_migration.version <= 5) THEN {schema}.schema_migration.version WHEN ({schema}.schema_migration.name = 'migrations/0008_add_audit_login.sql') THEN 8 END) AS NVARCHAR(20)) AS max_1\nFROM {schema}.schema_migration\nWHERE {schema}.schema_migration.state IN ('applied', 'baseline')",
        (),
    ),
    "metadata.standing_read_only": (
        "SELECT {schema}.custctl_metadata.name, {schema}.custctl_metadata.value\nFROM {schema}.custctl_metadata\nWHERE {schema}.custctl_metadata.name IN ('environment', 'epoch', 'database_id', 'deferred_indexes', 'own_fields') UNION ALL SELECT 'schema_version', CAST(max(CASE WHEN ({schema}.schema_migration.version <= 5) THEN {schema}.schema_migration.version WHEN ({schema}.schema_migration.name = 'migrations/0008_add_audit_login.sql') THEN 8 END) AS NVARCHAR(20)) AS max_1\nFROM {schema}.schema_migration\nWHERE {schema}.schema_migration.state IN ('applied', 'baseline') UNION ALL SELECT 'read_only', CASE WHEN (CAST(DATABASEPROPERTYEX(DB_NAME(), N'Updateability') AS NVARCHAR(60)) = N'READ_ONLY') THEN N'yes' ELSE N'no' END AS anon_1",
        (),
    ),
    "metadata.update": (
        "UPDATE {schema}.custctl_metadata SET value=? WHERE ({schema}.custctl_metadata.name = ? AND DATALENGTH({schema}.custctl_metadata.name) = DATALENGTH(?))",
        ("held:long", "key:text", "key:text"),
    ),
    "password.delete": (
        "DELETE FROM {schema}.customer_password WHERE {schema}.customer_password.customer_id = ?",
        ("owner",),
    ),
    "password.hash": (
        "SELECT {schema}.customer_password.hash\nFROM {schema}.customer_password\nWHERE {schema}.customer_password.customer_id = ?",
        ("owner",),
    ),
    "password.insert": (
        "INSERT INTO {schema}.customer_password (customer_id, hash, updated_at) VALUES (?, ?, CAST(SYSUTCDATETIME() AS DATETIME2(3)))",
        ("owner", "stored:text"),
    ),
    "password.update": (
        "UPDATE {schema}.customer_password SET hash=?, updated_at=CAST(SYSUTCDATETIME() AS DATETIME2(3)) WHERE {schema}.customer_password.customer_id = ?",
        ("stored:text", "owner"),
    ),
}
