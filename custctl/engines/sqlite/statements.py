"""The program's own statements, compiled for this engine from SQLAlchemy Core; `make statements` writes this file."""

from __future__ import annotations

from custctl.engines.connection import Prepared

STATEMENTS: dict[str, Prepared] = {
    "account.all": (
        "SELECT customer_account.customer_id, customer_account.provider, customer_account.subject\nFROM customer_account ORDER BY customer_account.customer_id",
        (),
    ),
    "account.count": ("SELECT count(*) AS count\nFROM customer_account", ()),
    "account.customer": (
        "SELECT customer.id, customer.email, customer.first_name, customer.last_name, customer.status\nFROM customer\nWHERE customer.id = ?",
        ("owner",),
    ),
    "account.customers": (
        "SELECT customer.id, customer.email, customer.status\nFROM customer ORDER BY customer.id",
        (),
    ),
    "account.delete": ("DELETE FROM customer_account WHERE customer_account.customer_id = ?", ("owner",)),
    "account.insert": (
        "INSERT INTO customer_account (customer_id, provider, subject, email, enabled, seen_at) VALUES (?, ?, ?, ?, ?, ?)",
        ("owner", "at", "linked", "seen_email", "seen_enabled", "now"),
    ),
    "account.of": (
        "SELECT customer_account.customer_id, customer_account.provider, customer_account.subject, customer_account.email, customer_account.enabled, customer_account.seen_at\nFROM customer_account\nWHERE customer_account.customer_id = ?",
        ("owner",),
    ),
    "account.owner": (
        "SELECT customer_account.customer_id\nFROM customer_account JOIN customer ON customer.id = customer_account.customer_id\nWHERE customer_account.subject = ?",
        ("linked",),
    ),
    "account.update": (
        "UPDATE customer_account SET provider=?, subject=?, email=?, enabled=?, seen_at=? WHERE customer_account.customer_id = ?",
        ("at", "linked", "seen_email", "seen_enabled", "now", "owner"),
    ),
    "audit.action": (
        "SELECT customer_audit.action\nFROM customer_audit\nWHERE customer_audit.operation_id = ? AND customer_audit.part = ?",
        ("operation", "number_of_part"),
    ),
    "audit.append": (
        "INSERT INTO customer_audit (operation_id, part, customer_id, sequence, action, actor, happened_at, version, fields, first_customer_id, last_customer_id, detail, held_values, salt, values_hash, previous_hash, row_hash, database_login) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, custctl_login())",
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
        "SELECT customer_audit.id, customer_audit.operation_id, customer_audit.part, customer_audit.customer_id, customer_audit.sequence, customer_audit.action, customer_audit.actor, customer_audit.happened_at, customer_audit.version, customer_audit.fields, customer_audit.first_customer_id, customer_audit.last_customer_id, customer_audit.detail, customer_audit.values_hash, customer_audit.previous_hash, customer_audit.row_hash, customer_audit.database_login\nFROM customer_audit\nWHERE customer_audit.customer_id = 0 AND customer_audit.action IN ('switchover', 'failover') ORDER BY customer_audit.sequence",
        (),
    ),
    "audit.ends": (
        "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now') AS now, custctl_login() AS login, (SELECT max(customer_audit.sequence) AS max_1\nFROM customer_audit\nWHERE customer_audit.customer_id = ?) AS sequence, (SELECT customer_audit.row_hash\nFROM customer_audit\nWHERE customer_audit.customer_id = ? AND customer_audit.sequence = (SELECT max(customer_audit.sequence) AS max_1\nFROM customer_audit\nWHERE customer_audit.customer_id = ?)) AS row_hash",
        ("number", "number", "number"),
    ),
    "audit.erase": (
        "UPDATE customer_audit SET held_values=NULL, salt=NULL WHERE customer_audit.customer_id = ? AND customer_audit.held_values IS NOT NULL",
        ("number",),
    ),
    "audit.history": (
        "SELECT customer_audit.id, customer_audit.operation_id, customer_audit.part, customer_audit.customer_id, customer_audit.sequence, customer_audit.action, customer_audit.actor, customer_audit.happened_at, customer_audit.version, customer_audit.fields, customer_audit.first_customer_id, customer_audit.last_customer_id, customer_audit.detail, customer_audit.held_values, customer_audit.salt, customer_audit.values_hash, customer_audit.previous_hash, customer_audit.row_hash, customer_audit.database_login\nFROM customer_audit\nWHERE customer_audit.customer_id = ? OR customer_audit.customer_id = 0 AND customer_audit.last_customer_id >= ? AND customer_audit.first_customer_id <= ? ORDER BY customer_audit.id",
        ("number", "number", "number"),
    ),
    "audit.history_facts": (
        "SELECT customer_audit.id, customer_audit.operation_id, customer_audit.part, customer_audit.customer_id, customer_audit.sequence, customer_audit.action, customer_audit.actor, customer_audit.happened_at, customer_audit.version, customer_audit.fields, customer_audit.first_customer_id, customer_audit.last_customer_id, customer_audit.detail, customer_audit.values_hash, customer_audit.previous_hash, customer_audit.row_hash, customer_audit.database_login\nFROM customer_audit\nWHERE customer_audit.customer_id = ? OR customer_audit.customer_id = 0 AND customer_audit.last_customer_id >= ? AND customer_audit.first_customer_id <= ? ORDER BY customer_audit.id",
        ("number", "number", "number"),
    ),
    "audit.operation": (
        "SELECT customer_audit.id, customer_audit.operation_id, customer_audit.part, customer_audit.customer_id, customer_audit.sequence, customer_audit.action, customer_audit.actor, customer_audit.happened_at, customer_audit.version, customer_audit.fields, customer_audit.first_customer_id, customer_audit.last_customer_id, customer_audit.detail, customer_audit.held_values, customer_audit.salt, customer_audit.values_hash, customer_audit.previous_hash, customer_audit.row_hash, customer_audit.database_login\nFROM customer_audit\nWHERE customer_audit.operation_id = ? ORDER BY customer_audit.part",
        ("operation",),
    ),
    "audit.values": (
        "SELECT customer_audit.version, customer_audit.held_values\nFROM customer_audit\nWHERE customer_audit.customer_id = ? AND customer_audit.held_values IS NOT NULL ORDER BY customer_audit.sequence DESC",
        ("number",),
    ),
    "clock.now": ("SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now') AS now", ()),
    "create.custctl_metadata": (
        "CREATE TABLE IF NOT EXISTS custctl_metadata (\n\tname VARCHAR(200) NOT NULL, \n\tvalue TEXT NOT NULL, \n\tCONSTRAINT custctl_metadata_pk PRIMARY KEY (name)\n)",
        (),
    ),
    "create.schema_migration": (
        "CREATE TABLE IF NOT EXISTS schema_migration (\n\tid INTEGER NOT NULL, \n\tversion BIGINT, \n\tname VARCHAR(255) NOT NULL, \n\tdescription VARCHAR(255) NOT NULL, \n\tkind VARCHAR(20) NOT NULL, \n\tchecksum VARCHAR(80) NOT NULL, \n\tscript TEXT NOT NULL, \n\tstate VARCHAR(20) NOT NULL, \n\tstatements_applied INTEGER NOT NULL, \n\tstatements_total INTEGER NOT NULL, \n\tin_flight INTEGER, \n\terror TEXT, \n\tstarted_at VARCHAR(30) NOT NULL, \n\tfinished_at VARCHAR(30), \n\tduration_ms BIGINT, \n\tapplied_by VARCHAR(200) NOT NULL, \n\ttool_version VARCHAR(40) NOT NULL, \n\tCONSTRAINT schema_migration_pk PRIMARY KEY (id), \n\tCONSTRAINT schema_migration_version_unique UNIQUE (version), \n\tCONSTRAINT schema_migration_name_unique UNIQUE (name)\n)",
        (),
    ),
    "customer.add": ("INSERT INTO customer ({columns}) VALUES ({values})", ("*",)),
    "customer.by_email": (
        "SELECT customer.id, customer.email, customer.first_name, customer.last_name, customer.phone, customer.company, customer.address_line, customer.city, customer.region, customer.postal_code, customer.country, customer.status, customer.version, customer.created_at, customer.updated_at{own}, (SELECT custctl_metadata.value\nFROM custctl_metadata\nWHERE custctl_metadata.name = 'epoch') AS epoch, (SELECT custctl_metadata.value\nFROM custctl_metadata\nWHERE custctl_metadata.name = 'own_fields') AS own_fields\nFROM customer\nWHERE customer.email = ?",
        ("who",),
    ),
    "customer.by_id": (
        "SELECT customer.id, customer.email, customer.first_name, customer.last_name, customer.phone, customer.company, customer.address_line, customer.city, customer.region, customer.postal_code, customer.country, customer.status, customer.version, customer.created_at, customer.updated_at{own}, (SELECT custctl_metadata.value\nFROM custctl_metadata\nWHERE custctl_metadata.name = 'epoch') AS epoch, (SELECT custctl_metadata.value\nFROM custctl_metadata\nWHERE custctl_metadata.name = 'own_fields') AS own_fields\nFROM customer\nWHERE customer.id = ?",
        ("who",),
    ),
    "customer.count": ("SELECT count(*) AS count\nFROM customer", ()),
    "customer.delete": (
        "DELETE FROM customer WHERE customer.id = ? AND customer.version = ? AND (EXISTS (SELECT *\nFROM custctl_metadata\nWHERE custctl_metadata.name = 'epoch' AND custctl_metadata.value = ?)) RETURNING id",
        ("id", "held_version", "held_epoch"),
    ),
    "customer.export": (
        "SELECT customer.id, customer.email, customer.first_name, customer.last_name, customer.phone, customer.company, customer.address_line, customer.city, customer.region, customer.postal_code, customer.country, customer.status, ? || CAST(customer.version AS TEXT) AS version, customer.created_at, customer.updated_at{own}\nFROM customer\nWHERE customer.id > ? ORDER BY customer.id",
        ("prefix", "after"),
    ),
    "customer.export_joined": (
        "SELECT max(anon_1.id) AS last, count(*) AS rows, count(anon_1.line) AS joined, CAST(group_concat(anon_1.line, char(10)) AS BLOB) AS data\nFROM (SELECT customer.id AS id, CASE WHEN (instr(customer.email, char(0)) > 0 OR instr(customer.first_name, char(0)) > 0 OR instr(customer.last_name, char(0)) > 0 OR instr(customer.phone, char(0)) > 0 OR instr(customer.company, char(0)) > 0 OR instr(customer.address_line, char(0)) > 0 OR instr(customer.city, char(0)) > 0 OR instr(customer.region, char(0)) > 0 OR instr(customer.postal_code, char(0)) > 0 OR instr(customer.country, char(0)) > 0 OR instr(customer.status, char(0)) > 0) THEN NULL ELSE printf('%s\x1f%s\x1f%s\x1f%s\x1f%s\x1f%s\x1f%s\x1f%s\x1f%s\x1f%s\x1f%s\x1f%s\x1f%s\x1f%s\x1f%s', customer.id, customer.email, customer.first_name, customer.last_name, customer.phone, customer.company, customer.address_line, customer.city, customer.region, customer.postal_code, customer.country, customer.status, ? || CAST(customer.version AS TEXT), customer.created_at, customer.updated_at) END AS line\nFROM customer\nWHERE customer.id > ? ORDER BY customer.id\n LIMIT ? OFFSET 0) AS anon_1",
        ("prefix", "after", "size"),
    ),
    "customer.found": (
        "SELECT hit.lane, customer.id, customer.email, customer.first_name, customer.last_name, customer.phone, customer.company, customer.address_line, customer.city, customer.region, customer.postal_code, customer.country, customer.status, customer.version, customer.created_at, customer.updated_at{own}, (SELECT custctl_metadata.value\nFROM custctl_metadata\nWHERE custctl_metadata.name = 'epoch') AS epoch, (SELECT custctl_metadata.value\nFROM custctl_metadata\nWHERE custctl_metadata.name = 'own_fields') AS own_fields\nFROM customer JOIN ({hits}) AS hit ON customer.id = hit.id ORDER BY hit.lane, hit.id",
        (),
    ),
    "customer.id_by_email": ("SELECT customer.id\nFROM customer\nWHERE customer.email = ?", ("who",)),
    "customer.id_by_id": ("SELECT customer.id\nFROM customer\nWHERE customer.id = ?", ("who",)),
    "customer.row": (
        "SELECT customer.id, customer.email, customer.first_name, customer.last_name, customer.phone, customer.company, customer.address_line, customer.city, customer.region, customer.postal_code, customer.country, customer.status, customer.version, customer.created_at, customer.updated_at{own}\nFROM customer\nWHERE customer.id = ?",
        ("id",),
    ),
    "customer.update": (
        "UPDATE customer SET {set} WHERE customer.id = ? AND customer.version = ? AND (EXISTS (SELECT *\nFROM custctl_metadata\nWHERE custctl_metadata.name = 'epoch' AND custctl_metadata.value = ?)) RETURNING id",
        ("*", "id", "held_version", "held_epoch"),
    ),
    "customer.with_hash_by_email": (
        "SELECT customer_password.hash, customer.id, customer.email, customer.first_name, customer.last_name, customer.phone, customer.company, customer.address_line, customer.city, customer.region, customer.postal_code, customer.country, customer.status, customer.version, customer.created_at, customer.updated_at{own}, (SELECT custctl_metadata.value\nFROM custctl_metadata\nWHERE custctl_metadata.name = 'epoch') AS epoch, (SELECT custctl_metadata.value\nFROM custctl_metadata\nWHERE custctl_metadata.name = 'own_fields') AS own_fields\nFROM customer LEFT OUTER JOIN customer_password ON customer_password.customer_id = customer.id\nWHERE customer.email = ?",
        ("who",),
    ),
    "customer.with_hash_by_id": (
        "SELECT customer_password.hash, customer.id, customer.email, customer.first_name, customer.last_name, customer.phone, customer.company, customer.address_line, customer.city, customer.region, customer.postal_code, customer.country, customer.status, customer.version, customer.created_at, customer.updated_at{own}, (SELECT custctl_metadata.value\nFROM custctl_metadata\nWHERE custctl_metadata.name = 'epoch') AS epoch, (SELECT custctl_metadata.value\nFROM custctl_metadata\nWHERE custctl_metadata.name = 'own_fields') AS own_fields\nFROM customer LEFT OUTER JOIN customer_password ON customer_password.customer_id = customer.id\nWHERE customer.id = ?",
        ("who",),
    ),
    "database.read_only": ("SELECT 'no' AS read_only", ()),
    "import.delete": ('DELETE FROM customer_import WHERE customer_import."key" = ?', ("of",)),
    "import.insert": (
        "INSERT INTO customer_import (\"key\", position, updated_at) VALUES (?, ?, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))",
        ("of", "reached"),
    ),
    "import.position": (
        'SELECT customer_import.position\nFROM customer_import\nWHERE customer_import."key" = ?',
        ("of",),
    ),
    "import.update": (
        "UPDATE customer_import SET position=?, updated_at=strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE customer_import.\"key\" = ?",
        ("reached", "of"),
    ),
    "journal.accept_by_name": (
        "UPDATE schema_migration SET checksum=?, script=? WHERE schema_migration.name = ?",
        ("new_checksum", "new_script", "script_key"),
    ),
    "journal.accept_by_version": (
        "UPDATE schema_migration SET checksum=?, script=? WHERE schema_migration.version = ?",
        ("new_checksum", "new_script", "script_key"),
    ),
    "journal.all": (
        "SELECT schema_migration.id, schema_migration.version, schema_migration.name, schema_migration.description, schema_migration.kind, schema_migration.checksum, schema_migration.script, schema_migration.state, schema_migration.statements_applied, schema_migration.statements_total, schema_migration.in_flight, schema_migration.error, schema_migration.started_at, schema_migration.finished_at, schema_migration.duration_ms, schema_migration.applied_by, schema_migration.tool_version\nFROM schema_migration ORDER BY schema_migration.id",
        (),
    ),
    "journal.fail": (
        "UPDATE schema_migration SET state='failed', in_flight=NULL, finished_at=strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE schema_migration.id = ?",
        ("row",),
    ),
    "journal.holder": (
        "SELECT schema_migration.name\nFROM schema_migration\nWHERE schema_migration.version = ?",
        ("script_key",),
    ),
    "journal.insert_ended": (
        "INSERT INTO schema_migration (version, name, description, kind, checksum, script, state, statements_applied, statements_total, in_flight, error, started_at, finished_at, duration_ms, applied_by, tool_version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), ?, ?, ?)",
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
        "INSERT INTO schema_migration (version, name, description, kind, checksum, script, state, statements_applied, statements_total, in_flight, error, started_at, finished_at, duration_ms, applied_by, tool_version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?, ?, ?)",
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
        "UPDATE schema_migration SET statements_applied=?, in_flight=? WHERE schema_migration.name = ?",
        ("applied", "running_one", "script_key"),
    ),
    "journal.progress_by_version": (
        "UPDATE schema_migration SET statements_applied=?, in_flight=? WHERE schema_migration.version = ?",
        ("applied", "running_one", "script_key"),
    ),
    "journal.recheck_by_name": (
        "SELECT clock.now, schema_migration.id, schema_migration.state, schema_migration.checksum, schema_migration.statements_applied, schema_migration.in_flight\nFROM (SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now') AS now) AS clock LEFT OUTER JOIN schema_migration ON schema_migration.name = ?",
        ("script_key",),
    ),
    "journal.recheck_by_version": (
        "SELECT clock.now, schema_migration.id, schema_migration.state, schema_migration.checksum, schema_migration.statements_applied, schema_migration.in_flight\nFROM (SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now') AS now) AS clock LEFT OUTER JOIN schema_migration ON schema_migration.version = ?",
        ("script_key",),
    ),
    "journal.state_by_name": (
        "SELECT schema_migration.state, schema_migration.checksum\nFROM schema_migration\nWHERE schema_migration.name = ?",
        ("script_key",),
    ),
    "journal.state_by_version": (
        "SELECT schema_migration.state, schema_migration.checksum\nFROM schema_migration\nWHERE schema_migration.version = ?",
        ("script_key",),
    ),
    "journal.update_ended_by_name": (
        "UPDATE schema_migration SET version=?, name=?, description=?, kind=?, checksum=?, script=?, state=?, statements_applied=?, statements_total=?, in_flight=?, error=?, started_at=?, finished_at=strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), duration_ms=?, applied_by=?, tool_version=? WHERE schema_migration.name = ?",
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
        "UPDATE schema_migration SET version=?, name=?, description=?, kind=?, checksum=?, script=?, state=?, statements_applied=?, statements_total=?, in_flight=?, error=?, started_at=?, finished_at=strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), duration_ms=?, applied_by=?, tool_version=? WHERE schema_migration.version = ?",
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
        "UPDATE schema_migration SET version=?, name=?, description=?, kind=?, checksum=?, script=?, state=?, statements_applied=?, statements_total=?, in_flight=?, error=?, started_at=?, finished_at=NULL, duration_ms=?, applied_by=?, tool_version=? WHERE schema_migration.name = ?",
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
        "UPDATE schema_migration SET version=?, name=?, description=?, kind=?, checksum=?, script=?, state=?, statements_applied=?, statements_total=?, in_flight=?, error=?, started_at=?, finished_at=NULL, duration_ms=?, applied_by=?, tool_version=? WHERE schema_migration.version = ?",
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
    "metadata.all": ("SELECT custctl_metadata.name, custctl_metadata.value\nFROM custctl_metadata", ()),
    "metadata.delete": ("DELETE FROM custctl_metadata WHERE custctl_metadata.name = ?", ("key",)),
    "metadata.insert": ("INSERT INTO custctl_metadata (name, value) VALUES (?, ?)", ("key", "value")),
    "metadata.standing": (
        "SELECT custctl_metadata.name, custctl_metadata.value\nFROM custctl_metadata\nWHERE custctl_metadata.name IN ('environment', 'epoch', 'database_id', 'deferred_indexes', 'own_fields') UNION ALL SELECT 'schema_version', CAST(max(CASE WHEN (schema_migration.version <= 5) THEN schema_migration.version WHEN (schema_migration.name = 'migrations/0006_create_customer_words.sql') THEN 6 WHEN (schema_migration.name = 'migrations/0007_create_customer_account.sql') THEN 7 WHEN (schema_migration.name = 'migrations/0008_add_audit_login.sql') THEN 8 END) AS VARCHAR(20)) AS max_1\nFROM schema_migration\nWHERE schema_migration.state IN ('applied', 'baseline')",
        (),
    ),
    "metadata.standing_read_only": (
        "SELECT custctl_metadata.name, custctl_metadata.value\nFROM custctl_metadata\nWHERE custctl_metadata.name IN ('environment', 'epoch', 'database_id', 'deferred_indexes', 'own_fields') UNION ALL SELECT 'schema_version', CAST(max(CASE WHEN (schema_migration.version <= 5) THEN schema_migration.version WHEN (schema_migration.name = 'migrations/0006_create_customer_words.sql') THEN 6 WHEN (schema_migration.name = 'migrations/0007_create_customer_account.sql') THEN 7 WHEN (schema_migration.name = 'migrations/0008_add_audit_login.sql') THEN 8 END) AS VARCHAR(20)) AS max_1\nFROM schema_migration\nWHERE schema_migration.state IN ('applied', 'baseline') UNION ALL SELECT 'read_only', 'no'",
        (),
    ),
    "metadata.update": ("UPDATE custctl_metadata SET value=? WHERE custctl_metadata.name = ?", ("held", "key")),
    "outbox.about": (
        "SELECT customer_account_outbox.id\nFROM customer_account_outbox\nWHERE customer_account_outbox.customer_id = ? AND customer_account_outbox.stray = ?",
        ("about", "found"),
    ),
    "outbox.add": (
        "INSERT INTO customer_account_outbox (customer_id, stray, operation_id, generation, attempts, next_attempt_at, created_at) VALUES (?, ?, ?, 1, 0, ?, ?)",
        ("about", "found", "operation", "now", "now"),
    ),
    "outbox.claim": (
        "UPDATE customer_account_outbox SET claimed_by=?, claimed_until=? WHERE customer_account_outbox.id = ? AND (customer_account_outbox.claimed_until IS NULL OR customer_account_outbox.claimed_until < ?)",
        ("mine", "until", "number", "now"),
    ),
    "outbox.counts": (
        "SELECT count(*) AS pending, sum(CASE WHEN (customer_account_outbox.attempts > 0) THEN 1 ELSE 0 END) AS failed, min(customer_account_outbox.created_at) AS oldest, min(customer_account_outbox.next_attempt_at) AS next_attempt_at\nFROM customer_account_outbox",
        (),
    ),
    "outbox.customers": (
        "SELECT customer_account_outbox.customer_id\nFROM customer_account_outbox\nWHERE customer_account_outbox.customer_id > 0 ORDER BY customer_account_outbox.customer_id",
        (),
    ),
    "outbox.done": (
        "DELETE FROM customer_account_outbox WHERE customer_account_outbox.id = ? AND customer_account_outbox.claimed_by = ? AND customer_account_outbox.generation = ?",
        ("number", "mine", "seen"),
    ),
    "outbox.due": (
        "SELECT customer_account_outbox.id\nFROM customer_account_outbox\nWHERE customer_account_outbox.next_attempt_at <= ? AND (customer_account_outbox.claimed_until IS NULL OR customer_account_outbox.claimed_until < ?) ORDER BY customer_account_outbox.next_attempt_at, customer_account_outbox.id\n LIMIT 100 OFFSET 0",
        ("since", "now"),
    ),
    "outbox.due_of": (
        "SELECT customer_account_outbox.id\nFROM customer_account_outbox\nWHERE customer_account_outbox.next_attempt_at <= ? AND (customer_account_outbox.claimed_until IS NULL OR customer_account_outbox.claimed_until < ?) AND customer_account_outbox.operation_id = ? ORDER BY customer_account_outbox.next_attempt_at, customer_account_outbox.id\n LIMIT 100 OFFSET 0",
        ("since", "now", "operation"),
    ),
    "outbox.fail": (
        "UPDATE customer_account_outbox SET attempts=(customer_account_outbox.attempts + 1), next_attempt_at=?, last_error=?, claimed_by=NULL, claimed_until=NULL WHERE customer_account_outbox.id = ? AND customer_account_outbox.claimed_by = ?",
        ("again", "told", "number", "mine"),
    ),
    "outbox.failures": (
        "SELECT customer_account_outbox.customer_id, customer_account_outbox.stray, customer_account_outbox.attempts, customer_account_outbox.next_attempt_at, customer_account_outbox.last_error\nFROM customer_account_outbox\nWHERE customer_account_outbox.attempts > 0 ORDER BY customer_account_outbox.next_attempt_at DESC, customer_account_outbox.id\n LIMIT 10 OFFSET 0",
        (),
    ),
    "outbox.intend": (
        "UPDATE customer_account_outbox SET intent=? WHERE customer_account_outbox.id = ? AND customer_account_outbox.claimed_by = ?",
        ("planned", "number", "mine"),
    ),
    "outbox.left_of": (
        "SELECT count(*) AS count\nFROM customer_account_outbox\nWHERE customer_account_outbox.operation_id = ?",
        ("operation",),
    ),
    "outbox.raise": (
        "UPDATE customer_account_outbox SET operation_id=?, generation=(customer_account_outbox.generation + 1), next_attempt_at=? WHERE customer_account_outbox.customer_id = ? AND customer_account_outbox.stray = ?",
        ("operation", "now", "about", "found"),
    ),
    "outbox.release": (
        "UPDATE customer_account_outbox SET claimed_by=NULL, claimed_until=NULL WHERE customer_account_outbox.id = ? AND customer_account_outbox.claimed_by = ?",
        ("number", "mine"),
    ),
    "outbox.remember": (
        "UPDATE customer_account_outbox SET subject=? WHERE customer_account_outbox.customer_id = ? AND customer_account_outbox.stray = ?",
        ("linked", "about", "found"),
    ),
    "outbox.renew": (
        "UPDATE customer_account_outbox SET claimed_until=? WHERE customer_account_outbox.id = ? AND customer_account_outbox.claimed_by = ?",
        ("until", "number", "mine"),
    ),
    "outbox.row": (
        "SELECT customer_account_outbox.id, customer_account_outbox.customer_id, customer_account_outbox.stray, customer_account_outbox.subject, customer_account_outbox.intent, customer_account_outbox.operation_id, customer_account_outbox.generation, customer_account_outbox.attempts, customer_account_outbox.next_attempt_at, customer_account_outbox.last_error, customer_account_outbox.claimed_by, customer_account_outbox.claimed_until, customer_account_outbox.created_at\nFROM customer_account_outbox\nWHERE customer_account_outbox.id = ?",
        ("number",),
    ),
    "password.count": ("SELECT count(*) AS count\nFROM customer_password", ()),
    "password.delete": ("DELETE FROM customer_password WHERE customer_password.customer_id = ?", ("owner",)),
    "password.hash": (
        "SELECT customer_password.hash\nFROM customer_password\nWHERE customer_password.customer_id = ?",
        ("owner",),
    ),
    "password.insert": (
        "INSERT INTO customer_password (customer_id, hash, updated_at) VALUES (?, ?, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))",
        ("owner", "stored"),
    ),
    "password.page": (
        "SELECT customer.id, customer.email, customer.first_name, customer.last_name, customer.status, customer_password.hash, customer_account.provider\nFROM customer_password JOIN customer ON customer_password.customer_id = customer.id LEFT OUTER JOIN customer_account ON customer_account.customer_id = customer.id\nWHERE customer_password.customer_id > ? ORDER BY customer_password.customer_id\n LIMIT 1000 OFFSET 0",
        ("after",),
    ),
    "password.to_move": (
        "SELECT count(*) AS hashes, sum(CASE WHEN (customer_account.provider = ?) THEN 1 ELSE 0 END) AS linked, sum(CASE WHEN (customer.status = 'active') THEN 1 ELSE 0 END) AS active, sum(CASE WHEN (customer_account.provider = ? AND customer.status = 'active') THEN 1 ELSE 0 END) AS active_linked\nFROM customer_password JOIN customer ON customer_password.customer_id = customer.id LEFT OUTER JOIN customer_account ON customer_account.customer_id = customer.id",
        ("at", "at"),
    ),
    "password.update": (
        "UPDATE customer_password SET hash=?, updated_at=strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE customer_password.customer_id = ?",
        ("stored", "owner"),
    ),
}
