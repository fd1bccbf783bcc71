"""The program's own statements, compiled for this engine from SQLAlchemy Core; `make statements` writes this file."""

from __future__ import annotations

from custctl.engines.connection import Prepared

STATEMENTS: dict[str, Prepared] = {
    "account.all": (
        "SELECT {schema}.customer_account.customer_id, {schema}.customer_account.provider, {schema}.customer_account.subject\nFROM {schema}.customer_account ORDER BY {schema}.customer_account.customer_id",
        (),
    ),
    "account.count": ("SELECT count(*) AS count\nFROM {schema}.customer_account", ()),
    "account.customer": (
        "SELECT {schema}.customer.id, {schema}.customer.email, {schema}.customer.first_name, {schema}.customer.last_name, {schema}.customer.status\nFROM {schema}.customer\nWHERE {schema}.customer.id = ?",
        ("owner",),
    ),
    "account.customers": (
        "SELECT {schema}.customer.id, {schema}.customer.email, {schema}.customer.status\nFROM {schema}.customer ORDER BY {schema}.customer.id",
        (),
    ),
    "account.delete": (
        "DELETE FROM {schema}.customer_account WHERE {schema}.customer_account.customer_id = ?",
        ("owner",),
    ),
    "account.insert": (
        "INSERT INTO {schema}.customer_account (customer_id, provider, subject, email, enabled, seen_at) VALUES (?, ?, ?, ?, ?, CAST(? AS DATETIME2(3)))",
        ("owner", "at:text", "linked:text", "seen_email:text", "seen_enabled", "now:time"),
    ),
    "account.of": (
        "SELECT {schema}.customer_account.customer_id, {schema}.customer_account.provider, {schema}.customer_account.subject, {schema}.customer_account.email, {schema}.customer_account.enabled, {schema}.customer_account.seen_at\nFROM {schema}.customer_account\nWHERE {schema}.customer_account.customer_id = ?",
        ("owner",),
    ),
    "account.owner": (
        "SELECT {schema}.customer_account.customer_id\nFROM {schema}.customer_account JOIN {schema}.customer ON {schema}.customer.id = {schema}.customer_account.customer_id\nWHERE ({schema}.customer_account.subject = ? AND DATALENGTH({schema}.customer_account.subject) = DATALENGTH(?))",
        ("linked:text", "linked:text"),
    ),
    "account.update": (
        "UPDATE {schema}.customer_account SET provider=?, subject=?, email=?, enabled=?, seen_at=CAST(? AS DATETIME2(3)) WHERE {schema}.customer_account.customer_id = ?",
        ("at:text", "linked:text", "seen_email:text", "seen_enabled", "now:time", "owner"),
    ),
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
    "customer.found": (
        "SELECT hit.lane, {schema}.customer.id, {schema}.customer.email, {schema}.customer.first_name, {schema}.customer.last_name, {schema}.customer.phone, {schema}.customer.company, {schema}.customer.address_line, {schema}.customer.city, {schema}.customer.region, {schema}.customer.postal_code, {schema}.customer.country, {schema}.customer.status, {schema}.customer.version, {schema}.customer.created_at, {schema}.customer.updated_at{own}, (SELECT {schema}.custctl_metadata.value\nFROM {schema}.custctl_metadata\nWHERE {schema}.custctl_metadata.name = 'epoch') AS epoch, (SELECT {schema}.custctl_metadata.value\nFROM {schema}.custctl_metadata\nWHERE {schema}.custctl_metadata.name = 'own_fields') AS own_fields\nFROM {schema}.customer JOIN ({hits}) AS hit ON {schema}.customer.id = hit.id ORDER BY hit.lane, hit.id",
        (),
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
        "SELECT {schema}.custctl_metadata.name, {schema}.custctl_metadata.value\nFROM {schema}.custctl_metadata\nWHERE {schema}.custctl_metadata.name IN ('environment', 'epoch', 'database_id', 'deferred_indexes', 'own_fields') UNION ALL SELECT 'schema_version', CAST(max(CASE WHEN ({schema}.schema_migration.version <= 5) THEN {schema}.schema_migration.version WHEN ({schema}.schema_migration.name = 'migrations/0006_create_customer_words.sql') THEN 6 WHEN ({schema}.schema_migration.name = 'migrations/0007_create_customer_account.sql') THEN 7 WHEN ({schema}.schema_migration.name = 'migrations/0008_add_audit_login.sql') THEN 8 END) AS NVARCHAR(20)) AS max_1\nFROM {schema}.schema_migration\nWHERE {schema}.schema_migration.state IN ('applied', 'baseline')",
        (),
    ),
    "metadata.standing_read_only": (
        "SELECT {schema}.custctl_metadata.name, {schema}.custctl_metadata.value\nFROM {schema}.custctl_metadata\nWHERE {schema}.custctl_metadata.name IN ('environment', 'epoch', 'database_id', 'deferred_indexes', 'own_fields') UNION ALL SELECT 'schema_version', CAST(max(CASE WHEN ({schema}.schema_migration.version <= 5) THEN {schema}.schema_migration.version WHEN ({schema}.schema_migration.name = 'migrations/0006_create_customer_words.sql') THEN 6 WHEN ({schema}.schema_migration.name = 'migrations/0007_create_customer_account.sql') THEN 7 WHEN ({schema}.schema_migration.name = 'migrations/0008_add_audit_login.sql') THEN 8 END) AS NVARCHAR(20)) AS max_1\nFROM {schema}.schema_migration\nWHERE {schema}.schema_migration.state IN ('applied', 'baseline') UNION ALL SELECT 'read_only', CASE WHEN (CAST(DATABASEPROPERTYEX(DB_NAME(), N'Updateability') AS NVARCHAR(60)) = N'READ_ONLY') THEN N'yes' ELSE N'no' END AS anon_1",
        (),
    ),
    "metadata.update": (
        "UPDATE {schema}.custctl_metadata SET value=? WHERE ({schema}.custctl_metadata.name = ? AND DATALENGTH({schema}.custctl_metadata.name) = DATALENGTH(?))",
        ("held:long", "key:text", "key:text"),
    ),
    "outbox.about": (
        "SELECT {schema}.customer_account_outbox.id\nFROM {schema}.customer_account_outbox\nWHERE {schema}.customer_account_outbox.customer_id = ? AND ({schema}.customer_account_outbox.stray = ? AND DATALENGTH({schema}.customer_account_outbox.stray) = DATALENGTH(?))",
        ("about", "found:text", "found:text"),
    ),
    "outbox.add": (
        "INSERT INTO {schema}.customer_account_outbox (customer_id, stray, operation_id, generation, attempts, next_attempt_at, created_at) OUTPUT inserted.id VALUES (?, ?, ?, 1, 0, CAST(? AS DATETIME2(3)), CAST(? AS DATETIME2(3)))",
        ("about", "found:text", "operation:text", "now:time", "now:time"),
    ),
    "outbox.claim": (
        "UPDATE {schema}.customer_account_outbox SET claimed_by=?, claimed_until=CAST(? AS DATETIME2(3)) WHERE {schema}.customer_account_outbox.id = ? AND ({schema}.customer_account_outbox.claimed_until IS NULL OR {schema}.customer_account_outbox.claimed_until < CAST(? AS DATETIME2(3)))",
        ("mine:text", "until:time", "number", "now:time"),
    ),
    "outbox.counts": (
        "SELECT count(*) AS pending, sum(CASE WHEN ({schema}.customer_account_outbox.attempts > 0) THEN 1 ELSE 0 END) AS failed, min({schema}.customer_account_outbox.created_at) AS oldest, min({schema}.customer_account_outbox.next_attempt_at) AS next_attempt_at\nFROM {schema}.customer_account_outbox",
        (),
    ),
    "outbox.customers": (
        "SELECT {schema}.customer_account_outbox.customer_id\nFROM {schema}.customer_account_outbox\nWHERE {schema}.customer_account_outbox.customer_id > 0 ORDER BY {schema}.customer_account_outbox.customer_id",
        (),
    ),
    "outbox.done": (
        "DELETE FROM {schema}.customer_account_outbox WHERE {schema}.customer_account_outbox.id = ? AND ({schema}.customer_account_outbox.claimed_by = ? AND DATALENGTH({schema}.customer_account_outbox.claimed_by) = DATALENGTH(?)) AND {schema}.customer_account_outbox.generation = ?",
        ("number", "mine:text", "mine:text", "seen"),
    ),
    "outbox.due": (
        "SELECT {schema}.customer_account_outbox.id\nFROM {schema}.customer_account_outbox\nWHERE {schema}.customer_account_outbox.next_attempt_at <= CAST(? AS DATETIME2(3)) AND ({schema}.customer_account_outbox.claimed_until IS NULL OR {schema}.customer_account_outbox.claimed_until < CAST(? AS DATETIME2(3))) ORDER BY {schema}.customer_account_outbox.next_attempt_at, {schema}.customer_account_outbox.id\n OFFSET 0 ROWS\n FETCH FIRST 100 ROWS ONLY",
        ("since:time", "now:time"),
    ),
    "outbox.due_of": (
        "SELECT {schema}.customer_account_outbox.id\nFROM {schema}.customer_account_outbox\nWHERE {schema}.customer_account_outbox.next_attempt_at <= CAST(? AS DATETIME2(3)) AND ({schema}.customer_account_outbox.claimed_until IS NULL OR {schema}.customer_account_outbox.claimed_until < CAST(? AS DATETIME2(3))) AND ({schema}.customer_account_outbox.operation_id = ? AND DATALENGTH({schema}.customer_account_outbox.operation_id) = DATALENGTH(?)) ORDER BY {schema}.customer_account_outbox.next_attempt_at, {schema}.customer_account_outbox.id\n OFFSET 0 ROWS\n FETCH FIRST 100 ROWS ONLY",
        ("since:time", "now:time", "operation:text", "operation:text"),
    ),
    "outbox.fail": (
        "UPDATE {schema}.customer_account_outbox SET attempts=({schema}.customer_account_outbox.attempts + 1), next_attempt_at=CAST(? AS DATETIME2(3)), last_error=?, claimed_by=NULL, claimed_until=NULL WHERE {schema}.customer_account_outbox.id = ? AND ({schema}.customer_account_outbox.claimed_by = ? AND DATALENGTH({schema}.customer_account_outbox.claimed_by) = DATALENGTH(?))",
        ("again:time", "told:text", "number", "mine:text", "mine:text"),
    ),
    "outbox.failures": (
        "SELECT {schema}.customer_account_outbox.customer_id, {schema}.customer_account_outbox.stray, {schema}.customer_account_outbox.attempts, {schema}.customer_account_outbox.next_attempt_at, {schema}.customer_account_outbox.last_error\nFROM {schema}.customer_account_outbox\nWHERE {schema}.customer_account_outbox.attempts > 0 ORDER BY {schema}.customer_account_outbox.next_attempt_at DESC, {schema}.customer_account_outbox.id\n OFFSET 0 ROWS\n FETCH FIRST 10 ROWS ONLY",
        (),
    ),
    "outbox.intend": (
        "UPDATE {schema}.customer_account_outbox SET intent=? WHERE {schema}.customer_account_outbox.id = ? AND ({schema}.customer_account_outbox.claimed_by = ? AND DATALENGTH({schema}.customer_account_outbox.claimed_by) = DATALENGTH(?))",
        ("planned:text", "number", "mine:text", "mine:text"),
    ),
    "outbox.left_of": (
        "SELECT count(*) AS count\nFROM {schema}.customer_account_outbox\nWHERE ({schema}.customer_account_outbox.operation_id = ? AND DATALENGTH({schema}.customer_account_outbox.operation_id) = DATALENGTH(?))",
        ("operation:text", "operation:text"),
    ),
    "outbox.raise": (
        "UPDATE {schema}.customer_account_outbox SET operation_id=?, generation=({schema}.customer_account_outbox.generation + 1), next_attempt_at=CAST(? AS DATETIME2(3)) WHERE {schema}.customer_account_outbox.customer_id = ? AND ({schema}.customer_account_outbox.stray = ? AND DATALENGTH({schema}.customer_account_outbox.stray) = DATALENGTH(?))",
        ("operation:text", "now:time", "about", "found:text", "found:text"),
    ),
    "outbox.release": (
        "UPDATE {schema}.customer_account_outbox SET claimed_by=NULL, claimed_until=NULL WHERE {schema}.customer_account_outbox.id = ? AND ({schema}.customer_account_outbox.claimed_by = ? AND DATALENGTH({schema}.customer_account_outbox.claimed_by) = DATALENGTH(?))",
        ("number", "mine:text", "mine:text"),
    ),
    "outbox.remember": (
        "UPDATE {schema}.customer_account_outbox SET subject=? WHERE {schema}.customer_account_outbox.customer_id = ? AND ({schema}.customer_account_outbox.stray = ? AND DATALENGTH({schema}.customer_account_outbox.stray) = DATALENGTH(?))",
        ("linked:text", "about", "found:text", "found:text"),
    ),
    "outbox.renew": (
        "UPDATE {schema}.customer_account_outbox SET claimed_until=CAST(? AS DATETIME2(3)) WHERE {schema}.customer_account_outbox.id = ? AND ({schema}.customer_account_outbox.claimed_by = ? AND DATALENGTH({schema}.customer_account_outbox.claimed_by) = DATALENGTH(?))",
        ("until:time", "number", "mine:text", "mine:text"),
    ),
    "outbox.row": (
        "SELECT {schema}.customer_account_outbox.id, {schema}.customer_account_outbox.customer_id, {schema}.customer_account_outbox.stray, {schema}.customer_account_outbox.subject, {schema}.customer_account_outbox.intent, {schema}.customer_account_outbox.operation_id, {schema}.customer_account_outbox.generation, {schema}.customer_account_outbox.attempts, {schema}.customer_account_outbox.next_attempt_at, {schema}.customer_account_outbox.last_error, {schema}.customer_account_outbox.claimed_by, {schema}.customer_account_outbox.claimed_until, {schema}.customer_account_outbox.created_at\nFROM {schema}.customer_account_outbox\nWHERE {schema}.customer_account_outbox.id = ?",
        ("number",),
    ),
    "password.count": ("SELECT count(*) AS count\nFROM {schema}.customer_password", ()),
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
    "password.page": (
        "SELECT {schema}.customer.id, {schema}.customer.email, {schema}.customer.first_name, {schema}.customer.last_name, {schema}.customer.status, {schema}.customer_password.hash, {schema}.customer_account.provider\nFROM {schema}.customer_password JOIN {schema}.customer ON {schema}.customer_password.customer_id = {schema}.customer.id LEFT OUTER JOIN {schema}.customer_account ON {schema}.customer_account.customer_id = {schema}.customer.id\nWHERE {schema}.customer_password.customer_id > ? ORDER BY {schema}.customer_password.customer_id\n OFFSET 0 ROWS\n FETCH FIRST 1000 ROWS ONLY",
        ("after",),
    ),
    "password.to_move": (
        "SELECT count(*) AS hashes, sum(CASE WHEN (({schema}.customer_account.provider = ? AND DATALENGTH({schema}.customer_account.provider) = DATALENGTH(?))) THEN 1 ELSE 0 END) AS linked, sum(CASE WHEN ({schema}.customer.status = 'active') THEN 1 ELSE 0 END) AS active, sum(CASE WHEN (({schema}.customer_account.provider = ? AND DATALENGTH({schema}.customer_account.provider) = DATALENGTH(?)) AND {schema}.customer.status = 'active') THEN 1 ELSE 0 END) AS active_linked\nFROM {schema}.customer_password JOIN {schema}.customer ON {schema}.customer_password.customer_id = {schema}.customer.id LEFT OUTER JOIN {schema}.customer_account ON {schema}.customer_account.customer_id = {schema}.customer.id",
        ("at:text", "at:text", "at:text", "at:text"),
    ),
    "password.update": (
        "UPDATE {schema}.customer_password SET hash=?, updated_at=CAST(SYSUTCDATETIME() AS DATETIME2(3)) WHERE {schema}.customer_password.customer_id = ?",
        ("stored:text", "owner"),
    ),
}
