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
        "SELECT {schema}.customer.id, {schema}.customer.email, {schema}.customer.first_name, {schema}.customer.last_name, {schema}.customer.status\nFROM {schema}.customer\nWHERE {schema}.customer.id = %(owner)s::BIGINT",
        ("owner",),
    ),
    "account.customers": (
        "SELECT {schema}.customer.id, {schema}.customer.email, {schema}.customer.status\nFROM {schema}.customer ORDER BY {schema}.customer.id",
        (),
    ),
    "account.delete": (
        "DELETE FROM {schema}.customer_account WHERE {schema}.customer_account.customer_id = %(owner)s::BIGINT",
        ("owner",),
    ),
    "account.insert": (
        "INSERT INTO {schema}.customer_account (customer_id, provider, subject, email, enabled, seen_at) VALUES (%(owner)s::BIGINT, %(at)s::VARCHAR, %(linked)s::VARCHAR, %(seen_email)s::VARCHAR, %(seen_enabled)s::INTEGER, %(now)s::TIMESTAMP WITH TIME ZONE)",
        ("owner", "at", "linked", "seen_email", "seen_enabled", "now"),
    ),
    "account.of": (
        "SELECT {schema}.customer_account.customer_id, {schema}.customer_account.provider, {schema}.customer_account.subject, {schema}.customer_account.email, {schema}.customer_account.enabled, {schema}.customer_account.seen_at\nFROM {schema}.customer_account\nWHERE {schema}.customer_account.customer_id = %(owner)s::BIGINT",
        ("owner",),
    ),
    "account.owner": (
        "SELECT {schema}.customer_account.customer_id\nFROM {schema}.customer_account JOIN {schema}.customer ON {schema}.customer.id = {schema}.customer_account.customer_id\nWHERE {schema}.customer_account.subject = %(linked)s::VARCHAR",
        ("linked",),
    ),
    "account.update": (
        "UPDATE {schema}.customer_account SET provider=%(at)s::VARCHAR, subject=%(linked)s::VARCHAR, email=%(seen_email)s::VARCHAR, enabled=%(seen_enabled)s::INTEGER, seen_at=%(now)s::TIMESTAMP WITH TIME ZONE WHERE {schema}.customer_account.customer_id = %(owner)s::BIGINT",
        ("at", "linked", "seen_email", "seen_enabled", "now", "owner"),
    ),
    "audit.action": (
        "SELECT {schema}.customer_audit.action\nFROM {schema}.customer_audit\nWHERE {schema}.customer_audit.operation_id = %(operation)s::VARCHAR AND {schema}.customer_audit.part = %(number_of_part)s::INTEGER",
        ("operation", "number_of_part"),
    ),
    "audit.append": (
        "INSERT INTO {schema}.customer_audit (operation_id, part, customer_id, sequence, action, actor, happened_at, version, fields, first_customer_id, last_customer_id, detail, held_values, salt, values_hash, previous_hash, row_hash, database_login) VALUES (%(operation_id)s::VARCHAR, %(part)s::INTEGER, %(customer_id)s::BIGINT, %(sequence)s::BIGINT, %(action)s::VARCHAR, %(actor)s::VARCHAR, %(happened_at)s::TIMESTAMP WITH TIME ZONE, %(version)s::VARCHAR, %(fields)s::VARCHAR, %(first_customer_id)s::BIGINT, %(last_customer_id)s::BIGINT, %(detail)s::VARCHAR, %(held_values)s::VARCHAR, %(salt)s::VARCHAR, %(values_hash)s::VARCHAR, %(previous_hash)s::VARCHAR, %(row_hash)s::VARCHAR, CAST(session_user AS TEXT)) RETURNING {schema}.customer_audit.id",
        (
            "operation_id",
            "part",
            "customer_id",
            "sequence",
            "action",
            "actor",
            "happened_at",
            "version",
            "fields",
            "first_customer_id",
            "last_customer_id",
            "detail",
            "held_values",
            "salt",
            "values_hash",
            "previous_hash",
            "row_hash",
        ),
    ),
    "audit.changes": (
        "SELECT {schema}.customer_audit.id, {schema}.customer_audit.operation_id, {schema}.customer_audit.part, {schema}.customer_audit.customer_id, {schema}.customer_audit.sequence, {schema}.customer_audit.action, {schema}.customer_audit.actor, {schema}.customer_audit.happened_at, {schema}.customer_audit.version, {schema}.customer_audit.fields, {schema}.customer_audit.first_customer_id, {schema}.customer_audit.last_customer_id, {schema}.customer_audit.detail, {schema}.customer_audit.values_hash, {schema}.customer_audit.previous_hash, {schema}.customer_audit.row_hash, {schema}.customer_audit.database_login\nFROM {schema}.customer_audit\nWHERE {schema}.customer_audit.customer_id = 0 AND {schema}.customer_audit.action IN ('switchover', 'failover') ORDER BY {schema}.customer_audit.sequence",
        (),
    ),
    "audit.ends": (
        "SELECT date_trunc('milliseconds', clock_timestamp()) AS now, CAST(session_user AS TEXT) AS login, (SELECT max({schema}.customer_audit.sequence) AS max_1\nFROM {schema}.customer_audit\nWHERE {schema}.customer_audit.customer_id = %(number)s::BIGINT) AS sequence, (SELECT {schema}.customer_audit.row_hash\nFROM {schema}.customer_audit\nWHERE {schema}.customer_audit.customer_id = %(number)s::BIGINT AND {schema}.customer_audit.sequence = (SELECT max({schema}.customer_audit.sequence) AS max_1\nFROM {schema}.customer_audit\nWHERE {schema}.customer_audit.customer_id = %(number)s::BIGINT)) AS row_hash",
        ("number",),
    ),
    "audit.erase": (
        "UPDATE {schema}.customer_audit SET held_values=NULL, salt=NULL WHERE {schema}.customer_audit.customer_id = %(number)s::BIGINT AND {schema}.customer_audit.held_values IS NOT NULL",
        ("number",),
    ),
    "audit.history": (
        "SELECT {schema}.customer_audit.id, {schema}.customer_audit.operation_id, {schema}.customer_audit.part, {schema}.customer_audit.customer_id, {schema}.customer_audit.sequence, {schema}.customer_audit.action, {schema}.customer_audit.actor, {schema}.customer_audit.happened_at, {schema}.customer_audit.version, {schema}.customer_audit.fields, {schema}.customer_audit.first_customer_id, {schema}.customer_audit.last_customer_id, {schema}.customer_audit.detail, {schema}.customer_audit.held_values, {schema}.customer_audit.salt, {schema}.customer_audit.values_hash, {schema}.customer_audit.previous_hash, {schema}.customer_audit.row_hash, {schema}.customer_audit.database_login\nFROM {schema}.customer_audit\nWHERE {schema}.customer_audit.customer_id = %(number)s::BIGINT OR {schema}.customer_audit.customer_id = 0 AND {schema}.customer_audit.last_customer_id >= %(number)s::BIGINT AND {schema}.customer_audit.first_customer_id <= %(number)s::BIGINT ORDER BY {schema}.customer_audit.id",
        ("number",),
    ),
    "audit.history_facts": (
        "SELECT {schema}.customer_audit.id, {schema}.customer_audit.operation_id, {schema}.customer_audit.part, {schema}.customer_audit.customer_id, {schema}.customer_audit.sequence, {schema}.customer_audit.action, {schema}.customer_audit.actor, {schema}.customer_audit.happened_at, {schema}.customer_audit.version, {schema}.customer_audit.fields, {schema}.customer_audit.first_customer_id, {schema}.customer_audit.last_customer_id, {schema}.customer_audit.detail, {schema}.customer_audit.values_hash, {schema}.customer_audit.previous_hash, {schema}.customer_audit.row_hash, {schema}.customer_audit.database_login\nFROM {schema}.customer_audit\nWHERE {schema}.customer_audit.customer_id = %(number)s::BIGINT OR {schema}.customer_audit.customer_id = 0 AND {schema}.customer_audit.last_customer_id >= %(number)s::BIGINT AND {schema}.customer_audit.first_customer_id <= %(number)s::BIGINT ORDER BY {schema}.customer_audit.id",
        ("number",),
    ),
    "audit.operation": (
        "SELECT {schema}.customer_audit.id, {schema}.customer_audit.operation_id, {schema}.customer_audit.part, {schema}.customer_audit.customer_id, {schema}.customer_audit.sequence, {schema}.customer_audit.action, {schema}.customer_audit.actor, {schema}.customer_audit.happened_at, {schema}.customer_audit.version, {schema}.customer_audit.fields, {schema}.customer_audit.first_customer_id, {schema}.customer_audit.last_customer_id, {schema}.customer_audit.detail, {schema}.customer_audit.held_values, {schema}.customer_audit.salt, {schema}.customer_audit.values_hash, {schema}.customer_audit.previous_hash, {schema}.customer_audit.row_hash, {schema}.customer_audit.database_login\nFROM {schema}.customer_audit\nWHERE {schema}.customer_audit.operation_id = %(operation)s::VARCHAR ORDER BY {schema}.customer_audit.part",
        ("operation",),
    ),
    "audit.values": (
        "SELECT {schema}.customer_audit.version, {schema}.customer_audit.held_values\nFROM {schema}.customer_audit\nWHERE {schema}.customer_audit.customer_id = %(number)s::BIGINT AND {schema}.customer_audit.held_values IS NOT NULL ORDER BY {schema}.customer_audit.sequence DESC",
        ("number",),
    ),
    "clock.now": ("SELECT date_trunc('milliseconds', clock_timestamp()) AS now", ()),
    "create.custctl_metadata": (
        "CREATE TABLE IF NOT EXISTS {schema}.custctl_metadata (\n\tname VARCHAR(200) NOT NULL, \n\tvalue TEXT NOT NULL, \n\tCONSTRAINT custctl_metadata_pk PRIMARY KEY (name)\n)",
        (),
    ),
    "create.schema_migration": (
        "CREATE TABLE IF NOT EXISTS {schema}.schema_migration (\n\tid BIGINT GENERATED ALWAYS AS IDENTITY, \n\tversion BIGINT, \n\tname VARCHAR(255) NOT NULL, \n\tdescription VARCHAR(255) NOT NULL, \n\tkind VARCHAR(20) NOT NULL, \n\tchecksum VARCHAR(80) NOT NULL, \n\tscript TEXT NOT NULL, \n\tstate VARCHAR(20) NOT NULL, \n\tstatements_applied INTEGER NOT NULL, \n\tstatements_total INTEGER NOT NULL, \n\tin_flight INTEGER, \n\terror TEXT, \n\tstarted_at TIMESTAMP WITH TIME ZONE NOT NULL, \n\tfinished_at TIMESTAMP WITH TIME ZONE, \n\tduration_ms BIGINT, \n\tapplied_by VARCHAR(200) NOT NULL, \n\ttool_version VARCHAR(40) NOT NULL, \n\tCONSTRAINT schema_migration_pk PRIMARY KEY (id), \n\tCONSTRAINT schema_migration_version_unique UNIQUE (version), \n\tCONSTRAINT schema_migration_name_unique UNIQUE (name)\n)",
        (),
    ),
    "customer.add": (
        "INSERT INTO {schema}.customer ({columns}) VALUES ({values}) RETURNING {schema}.customer.id, {schema}.customer.email, {schema}.customer.first_name, {schema}.customer.last_name, {schema}.customer.phone, {schema}.customer.company, {schema}.customer.address_line, {schema}.customer.city, {schema}.customer.region, {schema}.customer.postal_code, {schema}.customer.country, {schema}.customer.status, {schema}.customer.version, {schema}.customer.created_at, {schema}.customer.updated_at{own}",
        ("*",),
    ),
    "customer.by_email": (
        "SELECT {schema}.customer.id, {schema}.customer.email, {schema}.customer.first_name, {schema}.customer.last_name, {schema}.customer.phone, {schema}.customer.company, {schema}.customer.address_line, {schema}.customer.city, {schema}.customer.region, {schema}.customer.postal_code, {schema}.customer.country, {schema}.customer.status, {schema}.customer.version, {schema}.customer.created_at, {schema}.customer.updated_at{own}, (SELECT {schema}.custctl_metadata.value\nFROM {schema}.custctl_metadata\nWHERE {schema}.custctl_metadata.name = 'epoch') AS epoch, (SELECT {schema}.custctl_metadata.value\nFROM {schema}.custctl_metadata\nWHERE {schema}.custctl_metadata.name = 'own_fields') AS own_fields\nFROM {schema}.customer\nWHERE {schema}.customer.email = %(who)s::VARCHAR",
        ("who",),
    ),
    "customer.by_id": (
        "SELECT {schema}.customer.id, {schema}.customer.email, {schema}.customer.first_name, {schema}.customer.last_name, {schema}.customer.phone, {schema}.customer.company, {schema}.customer.address_line, {schema}.customer.city, {schema}.customer.region, {schema}.customer.postal_code, {schema}.customer.country, {schema}.customer.status, {schema}.customer.version, {schema}.customer.created_at, {schema}.customer.updated_at{own}, (SELECT {schema}.custctl_metadata.value\nFROM {schema}.custctl_metadata\nWHERE {schema}.custctl_metadata.name = 'epoch') AS epoch, (SELECT {schema}.custctl_metadata.value\nFROM {schema}.custctl_metadata\nWHERE {schema}.custctl_metadata.name = 'own_fields') AS own_fields\nFROM {schema}.customer\nWHERE {schema}.customer.id = %(who)s::BIGINT",
        ("who",),
    ),
    "customer.count": ("SELECT count(*) AS count\nFROM {schema}.customer", ()),
    "customer.delete": (
        "DELETE FROM {schema}.customer WHERE {schema}.customer.id = %(id)s::BIGINT AND {schema}.customer.version = %(held_version)s::BIGINT AND (EXISTS (SELECT *\nFROM {schema}.custctl_metadata\nWHERE {schema}.custctl_metadata.name = 'epoch' AND {schema}.custctl_metadata.value = %(held_epoch)s::VARCHAR)) RETURNING {schema}.customer.id",
        ("id", "held_version", "held_epoch"),
    ),
    "customer.export": (
        "SELECT {schema}.customer.id, {schema}.customer.email, {schema}.customer.first_name, {schema}.customer.last_name, {schema}.customer.phone, {schema}.customer.company, {schema}.customer.address_line, {schema}.customer.city, {schema}.customer.region, {schema}.customer.postal_code, {schema}.customer.country, {schema}.customer.status, %(prefix)s::VARCHAR || CAST({schema}.customer.version AS TEXT) AS version, {schema}.customer.created_at, {schema}.customer.updated_at{own}\nFROM {schema}.customer\nWHERE {schema}.customer.id > %(after)s::BIGINT ORDER BY {schema}.customer.id",
        ("prefix", "after"),
    ),
    "customer.export_joined": (
        "SELECT {schema}.customer.id, {schema}.customer.email, {schema}.customer.first_name, {schema}.customer.last_name, {schema}.customer.phone, {schema}.customer.company, {schema}.customer.address_line, {schema}.customer.city, {schema}.customer.region, {schema}.customer.postal_code, {schema}.customer.country, {schema}.customer.status, %(prefix)s::VARCHAR || CAST({schema}.customer.version AS TEXT) AS version, to_char(timezone('UTC', {schema}.customer.created_at), 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') AS created_at, to_char(timezone('UTC', {schema}.customer.updated_at), 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') AS updated_at\nFROM {schema}.customer\nWHERE {schema}.customer.id > %(after)s::BIGINT ORDER BY {schema}.customer.id",
        ("prefix", "after"),
    ),
    "customer.found": (
        "SELECT hit.lane, {schema}.customer.id, {schema}.customer.email, {schema}.customer.first_name, {schema}.customer.last_name, {schema}.customer.phone, {schema}.customer.company, {schema}.customer.address_line, {schema}.customer.city, {schema}.customer.region, {schema}.customer.postal_code, {schema}.customer.country, {schema}.customer.status, {schema}.customer.version, {schema}.customer.created_at, {schema}.customer.updated_at{own}, (SELECT {schema}.custctl_metadata.value\nFROM {schema}.custctl_metadata\nWHERE {schema}.custctl_metadata.name = 'epoch') AS epoch, (SELECT {schema}.custctl_metadata.value\nFROM {schema}.custctl_metadata\nWHERE {schema}.custctl_metadata.name = 'own_fields') AS own_fields\nFROM {schema}.customer JOIN ({hits}) AS hit ON {schema}.customer.id = hit.id ORDER BY hit.lane, hit.id",
        (),
    ),
    "customer.id_by_email": (
        "SELECT {schema}.customer.id\nFROM {schema}.customer\nWHERE {schema}.customer.email = %(who)s::VARCHAR",
        ("who",),
    ),
    "customer.id_by_id": (
        "SELECT {schema}.customer.id\nFROM {schema}.customer\nWHERE {schema}.customer.id = %(who)s::BIGINT",
        ("who",),
    ),
    "customer.row": (
        "SELECT {schema}.customer.id, {schema}.customer.email, {schema}.customer.first_name, {schema}.customer.last_name, {schema}.customer.phone, {schema}.customer.company, {schema}.customer.address_line, {schema}.customer.city, {schema}.customer.region, {schema}.customer.postal_code, {schema}.customer.country, {schema}.customer.status, {schema}.customer.version, {schema}.customer.created_at, {schema}.customer.updated_at{own}\nFROM {schema}.customer\nWHERE {schema}.customer.id = %(id)s::BIGINT",
        ("id",),
    ),
    "customer.update": (
        "UPDATE {schema}.customer SET {set} WHERE {schema}.customer.id = %(id)s::BIGINT AND {schema}.customer.version = %(held_version)s::BIGINT AND (EXISTS (SELECT *\nFROM {schema}.custctl_metadata\nWHERE {schema}.custctl_metadata.name = 'epoch' AND {schema}.custctl_metadata.value = %(held_epoch)s::VARCHAR)) RETURNING {schema}.customer.id, {schema}.customer.email, {schema}.customer.first_name, {schema}.customer.last_name, {schema}.customer.phone, {schema}.customer.company, {schema}.customer.address_line, {schema}.customer.city, {schema}.customer.region, {schema}.customer.postal_code, {schema}.customer.country, {schema}.customer.status, {schema}.customer.version, {schema}.customer.created_at, {schema}.customer.updated_at{own}",
        ("*", "id", "held_version", "held_epoch"),
    ),
    "customer.with_hash_by_email": (
        "SELECT {schema}.customer_password.hash, {schema}.customer.id, {schema}.customer.email, {schema}.customer.first_name, {schema}.customer.last_name, {schema}.customer.phone, {schema}.customer.company, {schema}.customer.address_line, {schema}.customer.city, {schema}.customer.region, {schema}.customer.postal_code, {schema}.customer.country, {schema}.customer.status, {schema}.customer.version, {schema}.customer.created_at, {schema}.customer.updated_at{own}, (SELECT {schema}.custctl_metadata.value\nFROM {schema}.custctl_metadata\nWHERE {schema}.custctl_metadata.name = 'epoch') AS epoch, (SELECT {schema}.custctl_metadata.value\nFROM {schema}.custctl_metadata\nWHERE {schema}.custctl_metadata.name = 'own_fields') AS own_fields\nFROM {schema}.customer LEFT OUTER JOIN {schema}.customer_password ON {schema}.customer_password.customer_id = {schema}.customer.id\nWHERE {schema}.customer.email = %(who)s::VARCHAR",
        ("who",),
    ),
    "customer.with_hash_by_id": (
        "SELECT {schema}.customer_password.hash, {schema}.customer.id, {schema}.customer.email, {schema}.customer.first_name, {schema}.customer.last_name, {schema}.customer.phone, {schema}.customer.company, {schema}.customer.address_line, {schema}.customer.city, {schema}.customer.region, {schema}.customer.postal_code, {schema}.customer.country, {schema}.customer.status, {schema}.customer.version, {schema}.customer.created_at, {schema}.customer.updated_at{own}, (SELECT {schema}.custctl_metadata.value\nFROM {schema}.custctl_metadata\nWHERE {schema}.custctl_metadata.name = 'epoch') AS epoch, (SELECT {schema}.custctl_metadata.value\nFROM {schema}.custctl_metadata\nWHERE {schema}.custctl_metadata.name = 'own_fields') AS own_fields\nFROM {schema}.customer LEFT OUTER JOIN {schema}.customer_password ON {schema}.customer_password.customer_id = {schema}.customer.id\nWHERE {schema}.customer.id = %(who)s::BIGINT",
        ("who",),
    ),
    "database.read_only": (
        "SELECT CASE WHEN (pg_catalog.pg_is_in_recovery() OR pg_catalog.current_setting('default_transaction_read_only') = 'on') THEN 'yes' ELSE 'no' END AS read_only",
        (),
    ),
    "import.delete": (
        "DELETE FROM {schema}.customer_import WHERE {schema}.customer_import.key = %(of)s::VARCHAR",
        ("of",),
    ),
    "import.insert": (
        "INSERT INTO {schema}.customer_import (key, position, updated_at) VALUES (%(of)s::VARCHAR, %(reached)s::VARCHAR, date_trunc('milliseconds', clock_timestamp()))",
        ("of", "reached"),
    ),
    "import.position": (
        "SELECT {schema}.customer_import.position\nFROM {schema}.customer_import\nWHERE {schema}.customer_import.key = %(of)s::VARCHAR",
        ("of",),
    ),
    "import.update": (
        "UPDATE {schema}.customer_import SET position=%(reached)s::VARCHAR, updated_at=date_trunc('milliseconds', clock_timestamp()) WHERE {schema}.customer_import.key = %(of)s::VARCHAR",
        ("reached", "of"),
    ),
    "journal.accept_by_name": (
        "UPDATE {schema}.schema_migration SET checksum=%(new_checksum)s::VARCHAR, script=%(new_script)s::VARCHAR WHERE {schema}.schema_migration.name = %(script_key)s::VARCHAR",
        ("new_checksum", "new_script", "script_key"),
    ),
    "journal.accept_by_version": (
        "UPDATE {schema}.schema_migration SET checksum=%(new_checksum)s::VARCHAR, script=%(new_script)s::VARCHAR WHERE {schema}.schema_migration.version = %(script_key)s::BIGINT",
        ("new_checksum", "new_script", "script_key"),
    ),
    "journal.all": (
        "SELECT {schema}.schema_migration.id, {schema}.schema_migration.version, {schema}.schema_migration.name, {schema}.schema_migration.description, {schema}.schema_migration.kind, {schema}.schema_migration.checksum, {schema}.schema_migration.script, {schema}.schema_migration.state, {schema}.schema_migration.statements_applied, {schema}.schema_migration.statements_total, {schema}.schema_migration.in_flight, {schema}.schema_migration.error, {schema}.schema_migration.started_at, {schema}.schema_migration.finished_at, {schema}.schema_migration.duration_ms, {schema}.schema_migration.applied_by, {schema}.schema_migration.tool_version\nFROM {schema}.schema_migration ORDER BY {schema}.schema_migration.id",
        (),
    ),
    "journal.fail": (
        "UPDATE {schema}.schema_migration SET state='failed', in_flight=NULL, finished_at=date_trunc('milliseconds', clock_timestamp()) WHERE {schema}.schema_migration.id = %(row)s::BIGINT",
        ("row",),
    ),
    "journal.holder": (
        "SELECT {schema}.schema_migration.name\nFROM {schema}.schema_migration\nWHERE {schema}.schema_migration.version = %(script_key)s::BIGINT",
        ("script_key",),
    ),
    "journal.insert_ended": (
        "INSERT INTO {schema}.schema_migration (version, name, description, kind, checksum, script, state, statements_applied, statements_total, in_flight, error, started_at, finished_at, duration_ms, applied_by, tool_version) VALUES (%(version)s::BIGINT, %(name)s::VARCHAR, %(description)s::VARCHAR, %(kind)s::VARCHAR, %(checksum)s::VARCHAR, %(script)s::VARCHAR, %(state)s::VARCHAR, %(statements_applied)s::INTEGER, %(statements_total)s::INTEGER, %(in_flight)s::INTEGER, %(error)s::VARCHAR, %(started_at)s::TIMESTAMP WITH TIME ZONE, date_trunc('milliseconds', clock_timestamp()), %(duration_ms)s::BIGINT, %(applied_by)s::VARCHAR, %(tool_version)s::VARCHAR) RETURNING {schema}.schema_migration.id",
        (
            "version",
            "name",
            "description",
            "kind",
            "checksum",
            "script",
            "state",
            "statements_applied",
            "statements_total",
            "in_flight",
            "error",
            "started_at",
            "duration_ms",
            "applied_by",
            "tool_version",
        ),
    ),
    "journal.insert_running": (
        "INSERT INTO {schema}.schema_migration (version, name, description, kind, checksum, script, state, statements_applied, statements_total, in_flight, error, started_at, finished_at, duration_ms, applied_by, tool_version) VALUES (%(version)s::BIGINT, %(name)s::VARCHAR, %(description)s::VARCHAR, %(kind)s::VARCHAR, %(checksum)s::VARCHAR, %(script)s::VARCHAR, %(state)s::VARCHAR, %(statements_applied)s::INTEGER, %(statements_total)s::INTEGER, %(in_flight)s::INTEGER, %(error)s::VARCHAR, %(started_at)s::TIMESTAMP WITH TIME ZONE, NULL, %(duration_ms)s::BIGINT, %(applied_by)s::VARCHAR, %(tool_version)s::VARCHAR) RETURNING {schema}.schema_migration.id",
        (
            "version",
            "name",
            "description",
            "kind",
            "checksum",
            "script",
            "state",
            "statements_applied",
            "statements_total",
            "in_flight",
            "error",
            "started_at",
            "duration_ms",
            "applied_by",
            "tool_version",
        ),
    ),
    "journal.progress_by_name": (
        "UPDATE {schema}.schema_migration SET statements_applied=%(applied)s::INTEGER, in_flight=%(running_one)s::INTEGER WHERE {schema}.schema_migration.name = %(script_key)s::VARCHAR",
        ("applied", "running_one", "script_key"),
    ),
    "journal.progress_by_version": (
        "UPDATE {schema}.schema_migration SET statements_applied=%(applied)s::INTEGER, in_flight=%(running_one)s::INTEGER WHERE {schema}.schema_migration.version = %(script_key)s::BIGINT",
        ("applied", "running_one", "script_key"),
    ),
    "journal.recheck_by_name": (
        "SELECT clock.now, {schema}.schema_migration.id, {schema}.schema_migration.state, {schema}.schema_migration.checksum, {schema}.schema_migration.statements_applied, {schema}.schema_migration.in_flight\nFROM (SELECT date_trunc('milliseconds', clock_timestamp()) AS now) AS clock LEFT OUTER JOIN {schema}.schema_migration ON {schema}.schema_migration.name = %(script_key)s::VARCHAR",
        ("script_key",),
    ),
    "journal.recheck_by_version": (
        "SELECT clock.now, {schema}.schema_migration.id, {schema}.schema_migration.state, {schema}.schema_migration.checksum, {schema}.schema_migration.statements_applied, {schema}.schema_migration.in_flight\nFROM (SELECT date_trunc('milliseconds', clock_timestamp()) AS now) AS clock LEFT OUTER JOIN {schema}.schema_migration ON {schema}.schema_migration.version = %(script_key)s::BIGINT",
        ("script_key",),
    ),
    "journal.state_by_name": (
        "SELECT {schema}.schema_migration.state, {schema}.schema_migration.checksum\nFROM {schema}.schema_migration\nWHERE {schema}.schema_migration.name = %(script_key)s::VARCHAR",
        ("script_key",),
    ),
    "journal.state_by_version": (
        "SELECT {schema}.schema_migration.state, {schema}.schema_migration.checksum\nFROM {schema}.schema_migration\nWHERE {schema}.schema_migration.version = %(script_key)s::BIGINT",
        ("script_key",),
    ),
    "journal.update_ended_by_name": (
        "UPDATE {schema}.schema_migration SET version=%(version)s::BIGINT, name=%(name)s::VARCHAR, description=%(description)s::VARCHAR, kind=%(kind)s::VARCHAR, checksum=%(checksum)s::VARCHAR, script=%(script)s::VARCHAR, state=%(state)s::VARCHAR, statements_applied=%(statements_applied)s::INTEGER, statements_total=%(statements_total)s::INTEGER, in_flight=%(in_flight)s::INTEGER, error=%(error)s::VARCHAR, started_at=%(started_at)s::TIMESTAMP WITH TIME ZONE, finished_at=date_trunc('milliseconds', clock_timestamp()), duration_ms=%(duration_ms)s::BIGINT, applied_by=%(applied_by)s::VARCHAR, tool_version=%(tool_version)s::VARCHAR WHERE {schema}.schema_migration.name = %(script_key)s::VARCHAR",
        (
            "version",
            "name",
            "description",
            "kind",
            "checksum",
            "script",
            "state",
            "statements_applied",
            "statements_total",
            "in_flight",
            "error",
            "started_at",
            "duration_ms",
            "applied_by",
            "tool_version",
            "script_key",
        ),
    ),
    "journal.update_ended_by_version": (
        "UPDATE {schema}.schema_migration SET version=%(version)s::BIGINT, name=%(name)s::VARCHAR, description=%(description)s::VARCHAR, kind=%(kind)s::VARCHAR, checksum=%(checksum)s::VARCHAR, script=%(script)s::VARCHAR, state=%(state)s::VARCHAR, statements_applied=%(statements_applied)s::INTEGER, statements_total=%(statements_total)s::INTEGER, in_flight=%(in_flight)s::INTEGER, error=%(error)s::VARCHAR, started_at=%(started_at)s::TIMESTAMP WITH TIME ZONE, finished_at=date_trunc('milliseconds', clock_timestamp()), duration_ms=%(duration_ms)s::BIGINT, applied_by=%(applied_by)s::VARCHAR, tool_version=%(tool_version)s::VARCHAR WHERE {schema}.schema_migration.version = %(script_key)s::BIGINT",
        (
            "version",
            "name",
            "description",
            "kind",
            "checksum",
            "script",
            "state",
            "statements_applied",
            "statements_total",
            "in_flight",
            "error",
            "started_at",
            "duration_ms",
            "applied_by",
            "tool_version",
            "script_key",
        ),
    ),
    "journal.update_running_by_name": (
        "UPDATE {schema}.schema_migration SET version=%(version)s::BIGINT, name=%(name)s::VARCHAR, description=%(description)s::VARCHAR, kind=%(kind)s::VARCHAR, checksum=%(checksum)s::VARCHAR, script=%(script)s::VARCHAR, state=%(state)s::VARCHAR, statements_applied=%(statements_applied)s::INTEGER, statements_total=%(statements_total)s::INTEGER, in_flight=%(in_flight)s::INTEGER, error=%(error)s::VARCHAR, started_at=%(started_at)s::TIMESTAMP WITH TIME ZONE, finished_at=NULL, duration_ms=%(duration_ms)s::BIGINT, applied_by=%(applied_by)s::VARCHAR, tool_version=%(tool_version)s::VARCHAR WHERE {schema}.schema_migration.name = %(script_key)s::VARCHAR",
        (
            "version",
            "name",
            "description",
            "kind",
            "checksum",
            "script",
            "state",
            "statements_applied",
            "statements_total",
            "in_flight",
            "error",
            "started_at",
            "duration_ms",
            "applied_by",
            "tool_version",
            "script_key",
        ),
    ),
    "journal.update_running_by_version": (
        "UPDATE {schema}.schema_migration SET version=%(version)s::BIGINT, name=%(name)s::VARCHAR, description=%(description)s::VARCHAR, kind=%(kind)s::VARCHAR, checksum=%(checksum)s::VARCHAR, script=%(script)s::VARCHAR, state=%(state)s::VARCHAR, statements_applied=%(statements_applied)s::INTEGER, statements_total=%(statements_total)s::INTEGER, in_flight=%(in_flight)s::INTEGER, error=%(error)s::VARCHAR, started_at=%(started_at)s::TIMESTAMP WITH TIME ZONE, finished_at=NULL, duration_ms=%(duration_ms)s::BIGINT, applied_by=%(applied_by)s::VARCHAR, tool_version=%(tool_version)s::VARCHAR WHERE {schema}.schema_migration.version = %(script_key)s::BIGINT",
        (
            "version",
            "name",
            "description",
            "kind",
            "checksum",
            "script",
            "state",
            "statements_applied",
            "statements_total",
            "in_flight",
            "error",
            "started_at",
            "duration_ms",
            "applied_by",
            "tool_version",
            "script_key",
        ),
    ),
    "metadata.all": (
        "SELECT {schema}.custctl_metadata.name, {schema}.custctl_metadata.value\nFROM {schema}.custctl_metadata",
        (),
    ),
    "metadata.delete": (
        "DELETE FROM {schema}.custctl_metadata WHERE {schema}.custctl_metadata.name = %(key)s::VARCHAR",
        ("key",),
    ),
    "metadata.insert": (
        "INSERT INTO {schema}.custctl_metadata (name, value) VALUES (%(key)s::VARCHAR, %(value)s::VARCHAR)",
        ("key", "value"),
    ),
    "metadata.standing": (
        "SELECT {schema}.custctl_metadata.name, {schema}.custctl_metadata.value\nFROM {schema}.custctl_metadata\nWHERE {schema}.custctl_metadata.name IN ('environment', 'epoch', 'database_id', 'deferred_indexes', 'own_fields') UNION ALL SELECT 'schema_version', CAST(max(CASE WHEN ({schema}.schema_migration.version <= 5) THEN {schema}.schema_migration.version WHEN ({schema}.schema_migration.name = 'migrations/0006_create_customer_words.sql') THEN 6 WHEN ({schema}.schema_migration.name = 'migrations/0007_create_customer_account.sql') THEN 7 WHEN ({schema}.schema_migration.name = 'migrations/0008_add_audit_login.sql') THEN 8 END) AS VARCHAR(20)) AS max_1\nFROM {schema}.schema_migration\nWHERE {schema}.schema_migration.state IN ('applied', 'baseline')",
        (),
    ),
    "metadata.standing_read_only": (
        "SELECT {schema}.custctl_metadata.name, {schema}.custctl_metadata.value\nFROM {schema}.custctl_metadata\nWHERE {schema}.custctl_metadata.name IN ('environment', 'epoch', 'database_id', 'deferred_indexes', 'own_fields') UNION ALL SELECT 'schema_version', CAST(max(CASE WHEN ({schema}.schema_migration.version <= 5) THEN {schema}.schema_migration.version WHEN ({schema}.schema_migration.name = 'migrations/0006_create_customer_words.sql') THEN 6 WHEN ({schema}.schema_migration.name = 'migrations/0007_create_customer_account.sql') THEN 7 WHEN ({schema}.schema_migration.name = 'migrations/0008_add_audit_login.sql') THEN 8 END) AS VARCHAR(20)) AS max_1\nFROM {schema}.schema_migration\nWHERE {schema}.schema_migration.state IN ('applied', 'baseline') UNION ALL SELECT 'read_only', CASE WHEN (pg_catalog.pg_is_in_recovery() OR pg_catalog.current_setting('default_transaction_read_only') = 'on') THEN 'yes' ELSE 'no' END AS anon_1",
        (),
    ),
    "metadata.update": (
        "UPDATE {schema}.custctl_metadata SET value=%(held)s::VARCHAR WHERE {schema}.custctl_metadata.name = %(key)s::VARCHAR",
        ("held", "key"),
    ),
    "outbox.about": (
        "SELECT {schema}.customer_account_outbox.id\nFROM {schema}.customer_account_outbox\nWHERE {schema}.customer_account_outbox.customer_id = %(about)s::BIGINT AND {schema}.customer_account_outbox.stray = %(found)s::VARCHAR",
        ("about", "found"),
    ),
    "outbox.add": (
        "INSERT INTO {schema}.customer_account_outbox (customer_id, stray, operation_id, generation, attempts, next_attempt_at, created_at) VALUES (%(about)s::BIGINT, %(found)s::VARCHAR, %(operation)s::VARCHAR, 1, 0, %(now)s::TIMESTAMP WITH TIME ZONE, %(now)s::TIMESTAMP WITH TIME ZONE) RETURNING {schema}.customer_account_outbox.id",
        ("about", "found", "operation", "now"),
    ),
    "outbox.claim": (
        "UPDATE {schema}.customer_account_outbox SET claimed_by=%(mine)s::VARCHAR, claimed_until=%(until)s::TIMESTAMP WITH TIME ZONE WHERE {schema}.customer_account_outbox.id = %(number)s::BIGINT AND ({schema}.customer_account_outbox.claimed_until IS NULL OR {schema}.customer_account_outbox.claimed_until < %(now)s::TIMESTAMP WITH TIME ZONE)",
        ("mine", "until", "number", "now"),
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
        "DELETE FROM {schema}.customer_account_outbox WHERE {schema}.customer_account_outbox.id = %(number)s::BIGINT AND {schema}.customer_account_outbox.claimed_by = %(mine)s::VARCHAR AND {schema}.customer_account_outbox.generation = %(seen)s::BIGINT",
        ("number", "mine", "seen"),
    ),
    "outbox.due": (
        "SELECT {schema}.customer_account_outbox.id\nFROM {schema}.customer_account_outbox\nWHERE {schema}.customer_account_outbox.next_attempt_at <= %(since)s::TIMESTAMP WITH TIME ZONE AND ({schema}.customer_account_outbox.claimed_until IS NULL OR {schema}.customer_account_outbox.claimed_until < %(now)s::TIMESTAMP WITH TIME ZONE) ORDER BY {schema}.customer_account_outbox.next_attempt_at, {schema}.customer_account_outbox.id\n LIMIT 100 OFFSET 0",
        ("since", "now"),
    ),
    "outbox.due_of": (
        "SELECT {schema}.customer_account_outbox.id\nFROM {schema}.customer_account_outbox\nWHERE {schema}.customer_account_outbox.next_attempt_at <= %(since)s::TIMESTAMP WITH TIME ZONE AND ({schema}.customer_account_outbox.claimed_until IS NULL OR {schema}.customer_account_outbox.claimed_until < %(now)s::TIMESTAMP WITH TIME ZONE) AND {schema}.customer_account_outbox.operation_id = %(operation)s::VARCHAR ORDER BY {schema}.customer_account_outbox.next_attempt_at, {schema}.customer_account_outbox.id\n LIMIT 100 OFFSET 0",
        ("since", "now", "operation"),
    ),
    "outbox.fail": (
        "UPDATE {schema}.customer_account_outbox SET attempts=({schema}.customer_account_outbox.attempts + 1), next_attempt_at=%(again)s::TIMESTAMP WITH TIME ZONE, last_error=%(told)s::VARCHAR, claimed_by=NULL, claimed_until=NULL WHERE {schema}.customer_account_outbox.id = %(number)s::BIGINT AND {schema}.customer_account_outbox.claimed_by = %(mine)s::VARCHAR",
        ("again", "told", "number", "mine"),
    ),
    "outbox.failures": (
        "SELECT {schema}.customer_account_outbox.customer_id, {schema}.customer_account_outbox.stray, {schema}.customer_account_outbox.attempts, {schema}.customer_account_outbox.next_attempt_at, {schema}.customer_account_outbox.last_error\nFROM {schema}.customer_account_outbox\nWHERE {schema}.customer_account_outbox.attempts > 0 ORDER BY {schema}.customer_account_outbox.next_attempt_at DESC, {schema}.customer_account_outbox.id\n LIMIT 10 OFFSET 0",
        (),
    ),
    "outbox.intend": (
        "UPDATE {schema}.customer_account_outbox SET intent=%(planned)s::VARCHAR WHERE {schema}.customer_account_outbox.id = %(number)s::BIGINT AND {schema}.customer_account_outbox.claimed_by = %(mine)s::VARCHAR",
        ("planned", "number", "mine"),
    ),
    "outbox.left_of": (
        "SELECT count(*) AS count\nFROM {schema}.customer_account_outbox\nWHERE {schema}.customer_account_outbox.operation_id = %(operation)s::VARCHAR",
        ("operation",),
    ),
    "outbox.raise": (
        "UPDATE {schema}.customer_account_outbox SET operation_id=%(operation)s::VARCHAR, generation=({schema}.customer_account_outbox.generation + 1), next_attempt_at=%(now)s::TIMESTAMP WITH TIME ZONE WHERE {schema}.customer_account_outbox.customer_id = %(about)s::BIGINT AND {schema}.customer_account_outbox.stray = %(found)s::VARCHAR",
        ("operation", "now", "about", "found"),
    ),
    "outbox.release": (
        "UPDATE {schema}.customer_account_outbox SET claimed_by=NULL, claimed_until=NULL WHERE {schema}.customer_account_outbox.id = %(number)s::BIGINT AND {schema}.customer_account_outbox.claimed_by = %(mine)s::VARCHAR",
        ("number", "mine"),
    ),
    "outbox.remember": (
        "UPDATE {schema}.customer_account_outbox SET subject=%(linked)s::VARCHAR WHERE {schema}.customer_account_outbox.customer_id = %(about)s::BIGINT AND {schema}.customer_account_outbox.stray = %(found)s::VARCHAR",
        ("linked", "about", "found"),
    ),
    "outbox.renew": (
        "UPDATE {schema}.customer_account_outbox SET claimed_until=%(until)s::TIMESTAMP WITH TIME ZONE WHERE {schema}.customer_account_outbox.id = %(number)s::BIGINT AND {schema}.customer_account_outbox.claimed_by = %(mine)s::VARCHAR",
        ("until", "number", "mine"),
    ),
    "outbox.row": (
        "SELECT {schema}.customer_account_outbox.id, {schema}.customer_account_outbox.customer_id, {schema}.customer_account_outbox.stray, {schema}.customer_account_outbox.subject, {schema}.customer_account_outbox.intent, {schema}.customer_account_outbox.operation_id, {schema}.customer_account_outbox.generation, {schema}.customer_account_outbox.attempts, {schema}.customer_account_outbox.next_attempt_at, {schema}.customer_account_outbox.last_error, {schema}.customer_account_outbox.claimed_by, {schema}.customer_account_outbox.claimed_until, {schema}.customer_account_outbox.created_at\nFROM {schema}.customer_account_outbox\nWHERE {schema}.customer_account_outbox.id = %(number)s::BIGINT",
        ("number",),
    ),
    "password.count": ("SELECT count(*) AS count\nFROM {schema}.customer_password", ()),
    "password.delete": (
        "DELETE FROM {schema}.customer_password WHERE {schema}.customer_password.customer_id = %(owner)s::BIGINT",
        ("owner",),
    ),
    "password.hash": (
        "SELECT {schema}.customer_password.hash\nFROM {schema}.customer_password\nWHERE {schema}.customer_password.customer_id = %(owner)s::BIGINT",
        ("owner",),
    ),
    "password.insert": (
        "INSERT INTO {schema}.customer_password (customer_id, hash, updated_at) VALUES (%(owner)s::BIGINT, %(stored)s::VARCHAR, date_trunc('milliseconds', clock_timestamp()))",
        ("owner", "stored"),
    ),
    "password.page": (
        "SELECT {schema}.customer.id, {schema}.customer.email, {schema}.customer.first_name, {schema}.customer.last_name, {schema}.customer.status, {schema}.customer_password.hash, {schema}.customer_account.provider\nFROM {schema}.customer_password JOIN {schema}.customer ON {schema}.customer_password.customer_id = {schema}.customer.id LEFT OUTER JOIN {schema}.customer_account ON {schema}.customer_account.customer_id = {schema}.customer.id\nWHERE {schema}.customer_password.customer_id > %(after)s::BIGINT ORDER BY {schema}.customer_password.customer_id\n LIMIT 1000 OFFSET 0",
        ("after",),
    ),
    "password.to_move": (
        "SELECT count(*) AS hashes, sum(CASE WHEN ({schema}.customer_account.provider = %(at)s::VARCHAR) THEN 1 ELSE 0 END) AS linked, sum(CASE WHEN ({schema}.customer.status = 'active') THEN 1 ELSE 0 END) AS active, sum(CASE WHEN ({schema}.customer_account.provider = %(at)s::VARCHAR AND {schema}.customer.status = 'active') THEN 1 ELSE 0 END) AS active_linked\nFROM {schema}.customer_password JOIN {schema}.customer ON {schema}.customer_password.customer_id = {schema}.customer.id LEFT OUTER JOIN {schema}.customer_account ON {schema}.customer_account.customer_id = {schema}.customer.id",
        ("at",),
    ),
    "password.update": (
        "UPDATE {schema}.customer_password SET hash=%(stored)s::VARCHAR, updated_at=date_trunc('milliseconds', clock_timestamp()) WHERE {schema}.customer_password.customer_id = %(owner)s::BIGINT",
        ("stored", "owner"),
    ),
}
