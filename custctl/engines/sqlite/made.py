"""What each of the product's scripts makes on this engine; `make shapes` writes this file."""

from __future__ import annotations

from custctl.engines.shaping import Made

MADE: Made = {
    (
        "migrations/0001_create_customer.sql",
        "v1:sha256:5daae3d2386ba9e97b9bfd558a188aceace45fa9cf35565a361222509981bf65",
    ): [
        ("table", "customer", "", {}),
        (
            "column",
            "customer",
            "id",
            {
                "type": "integer",
                "nullable": "yes",
                "_text": "id           INTEGER PRIMARY KEY AUTOINCREMENT CONSTRAINT customer_id_positive CHECK (id > 0)",
            },
        ),
        (
            "column",
            "customer",
            "email",
            {
                "type": "text",
                "nullable": "no",
                "_text": "email        TEXT NOT NULL\n               CONSTRAINT customer_email_lower_case CHECK (email = lower(email))\n               CONSTRAINT customer_email_length CHECK (typeof(email) = 'text' AND length(email) BETWEEN 3 AND 254)",
            },
        ),
        (
            "column",
            "customer",
            "first_name",
            {
                "type": "text",
                "nullable": "no",
                "_text": "first_name   TEXT NOT NULL CONSTRAINT customer_first_name_length\n               CHECK (typeof(first_name) = 'text' AND length(first_name) BETWEEN 1 AND 100)",
            },
        ),
        (
            "column",
            "customer",
            "last_name",
            {
                "type": "text",
                "nullable": "no",
                "_text": "last_name    TEXT NOT NULL CONSTRAINT customer_last_name_length\n               CHECK (typeof(last_name) = 'text' AND length(last_name) BETWEEN 1 AND 100)",
            },
        ),
        (
            "column",
            "customer",
            "phone",
            {
                "type": "text",
                "nullable": "yes",
                "_text": "phone        TEXT CONSTRAINT customer_phone_length\n               CHECK (typeof(phone) <> 'blob' AND length(phone) BETWEEN 1 AND 40)",
            },
        ),
        (
            "column",
            "customer",
            "company",
            {
                "type": "text",
                "nullable": "yes",
                "_text": "company      TEXT CONSTRAINT customer_company_length\n               CHECK (typeof(company) <> 'blob' AND length(company) BETWEEN 1 AND 200)",
            },
        ),
        (
            "column",
            "customer",
            "address_line",
            {
                "type": "text",
                "nullable": "yes",
                "_text": "address_line TEXT CONSTRAINT customer_address_line_length\n               CHECK (typeof(address_line) <> 'blob' AND length(address_line) BETWEEN 1 AND 200)",
            },
        ),
        (
            "column",
            "customer",
            "city",
            {
                "type": "text",
                "nullable": "yes",
                "_text": "city         TEXT CONSTRAINT customer_city_length\n               CHECK (typeof(city) <> 'blob' AND length(city) BETWEEN 1 AND 100)",
            },
        ),
        (
            "column",
            "customer",
            "region",
            {
                "type": "text",
                "nullable": "yes",
                "_text": "region       TEXT CONSTRAINT customer_region_length\n               CHECK (typeof(region) <> 'blob' AND length(region) BETWEEN 1 AND 100)",
            },
        ),
        (
            "column",
            "customer",
            "postal_code",
            {
                "type": "text",
                "nullable": "yes",
                "_text": "postal_code  TEXT CONSTRAINT customer_postal_code_length\n               CHECK (typeof(postal_code) <> 'blob' AND length(postal_code) BETWEEN 1 AND 20)",
            },
        ),
        (
            "column",
            "customer",
            "country",
            {
                "type": "text",
                "nullable": "yes",
                "_text": "country      TEXT CONSTRAINT customer_country_length\n               CHECK (typeof(country) <> 'blob' AND length(country) BETWEEN 1 AND 100)",
            },
        ),
        (
            "column",
            "customer",
            "status",
            {
                "type": "text",
                "nullable": "no",
                "default": "'active'",
                "_text": "status       TEXT NOT NULL DEFAULT 'active'\n               CONSTRAINT customer_status_known CHECK (status IN ('active', 'suspended', 'closed'))",
            },
        ),
        (
            "column",
            "customer",
            "version",
            {"type": "integer", "nullable": "no", "default": "1", "_text": "version      INTEGER NOT NULL DEFAULT 1"},
        ),
        (
            "column",
            "customer",
            "created_at",
            {
                "type": "text",
                "nullable": "no",
                "default": "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
                "_text": "created_at   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))",
            },
        ),
        (
            "column",
            "customer",
            "updated_at",
            {
                "type": "text",
                "nullable": "no",
                "default": "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
                "_text": "updated_at   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))",
            },
        ),
        ("primary key", "customer", "", {"columns": "id", "autoincrement": "yes"}),
        (
            "check",
            "customer",
            "customer_address_line_length",
            {
                "definition": "typeof(address_line)<>'blob' and length(address_line)between 1 and 200",
                "_column": "address_line",
                "_check": "CONSTRAINT \"customer_address_line_length\" CHECK (typeof(address_line) <> 'blob' AND length(address_line) BETWEEN 1 AND 200)",
            },
        ),
        (
            "check",
            "customer",
            "customer_city_length",
            {
                "definition": "typeof(city)<>'blob' and length(city)between 1 and 100",
                "_column": "city",
                "_check": "CONSTRAINT \"customer_city_length\" CHECK (typeof(city) <> 'blob' AND length(city) BETWEEN 1 AND 100)",
            },
        ),
        (
            "check",
            "customer",
            "customer_company_length",
            {
                "definition": "typeof(company)<>'blob' and length(company)between 1 and 200",
                "_column": "company",
                "_check": "CONSTRAINT \"customer_company_length\" CHECK (typeof(company) <> 'blob' AND length(company) BETWEEN 1 AND 200)",
            },
        ),
        (
            "check",
            "customer",
            "customer_country_length",
            {
                "definition": "typeof(country)<>'blob' and length(country)between 1 and 100",
                "_column": "country",
                "_check": "CONSTRAINT \"customer_country_length\" CHECK (typeof(country) <> 'blob' AND length(country) BETWEEN 1 AND 100)",
            },
        ),
        (
            "check",
            "customer",
            "customer_email_length",
            {
                "definition": "typeof(email)='text' and length(email)between 3 and 254",
                "_column": "email",
                "_check": "CONSTRAINT \"customer_email_length\" CHECK (typeof(email) = 'text' AND length(email) BETWEEN 3 AND 254)",
            },
        ),
        (
            "check",
            "customer",
            "customer_email_lower_case",
            {
                "definition": "email=lower(email)",
                "_column": "email",
                "_check": 'CONSTRAINT "customer_email_lower_case" CHECK (email = lower(email))',
            },
        ),
        (
            "check",
            "customer",
            "customer_first_name_length",
            {
                "definition": "typeof(first_name)='text' and length(first_name)between 1 and 100",
                "_column": "first_name",
                "_check": "CONSTRAINT \"customer_first_name_length\" CHECK (typeof(first_name) = 'text' AND length(first_name) BETWEEN 1 AND 100)",
            },
        ),
        (
            "check",
            "customer",
            "customer_id_positive",
            {"definition": "id>0", "_column": "id", "_check": 'CONSTRAINT "customer_id_positive" CHECK (id > 0)'},
        ),
        (
            "check",
            "customer",
            "customer_last_name_length",
            {
                "definition": "typeof(last_name)='text' and length(last_name)between 1 and 100",
                "_column": "last_name",
                "_check": "CONSTRAINT \"customer_last_name_length\" CHECK (typeof(last_name) = 'text' AND length(last_name) BETWEEN 1 AND 100)",
            },
        ),
        (
            "check",
            "customer",
            "customer_phone_length",
            {
                "definition": "typeof(phone)<>'blob' and length(phone)between 1 and 40",
                "_column": "phone",
                "_check": "CONSTRAINT \"customer_phone_length\" CHECK (typeof(phone) <> 'blob' AND length(phone) BETWEEN 1 AND 40)",
            },
        ),
        (
            "check",
            "customer",
            "customer_postal_code_length",
            {
                "definition": "typeof(postal_code)<>'blob' and length(postal_code)between 1 and 20",
                "_column": "postal_code",
                "_check": "CONSTRAINT \"customer_postal_code_length\" CHECK (typeof(postal_code) <> 'blob' AND length(postal_code) BETWEEN 1 AND 20)",
            },
        ),
        (
            "check",
            "customer",
            "customer_region_length",
            {
                "definition": "typeof(region)<>'blob' and length(region)between 1 and 100",
                "_column": "region",
                "_check": "CONSTRAINT \"customer_region_length\" CHECK (typeof(region) <> 'blob' AND length(region) BETWEEN 1 AND 100)",
            },
        ),
        (
            "check",
            "customer",
            "customer_status_known",
            {
                "definition": "status in('active', 'suspended', 'closed')",
                "_column": "status",
                "_check": "CONSTRAINT \"customer_status_known\" CHECK (status IN ('active', 'suspended', 'closed'))",
            },
        ),
        (
            "index",
            "customer",
            "customer_by_country",
            {
                "definition": "(country)",
                "unique": "no",
                "_sql": "CREATE INDEX customer_by_country ON customer (country)",
            },
        ),
        (
            "index",
            "customer",
            "customer_by_created_at",
            {
                "definition": "(created_at)",
                "unique": "no",
                "_sql": "CREATE INDEX customer_by_created_at ON customer (created_at)",
            },
        ),
        (
            "index",
            "customer",
            "customer_by_last_name",
            {
                "definition": "(last_name)",
                "unique": "no",
                "_sql": "CREATE INDEX customer_by_last_name ON customer (last_name)",
            },
        ),
        (
            "index",
            "customer",
            "customer_by_status",
            {"definition": "(status)", "unique": "no", "_sql": "CREATE INDEX customer_by_status ON customer (status)"},
        ),
        (
            "index",
            "customer",
            "customer_by_updated_at",
            {
                "definition": "(updated_at)",
                "unique": "no",
                "_sql": "CREATE INDEX customer_by_updated_at ON customer (updated_at)",
            },
        ),
        (
            "index",
            "customer",
            "customer_company_prefix",
            {
                "definition": "(company collate nocase)",
                "unique": "no",
                "_sql": "CREATE INDEX customer_company_prefix ON customer (company COLLATE NOCASE)",
            },
        ),
        (
            "index",
            "customer",
            "customer_email_unique",
            {
                "definition": "(email)",
                "unique": "yes",
                "_sql": "CREATE UNIQUE INDEX customer_email_unique ON customer (email)",
            },
        ),
        (
            "index",
            "customer",
            "customer_first_name_prefix",
            {
                "definition": "(first_name collate nocase)",
                "unique": "no",
                "_sql": "CREATE INDEX customer_first_name_prefix ON customer (first_name COLLATE NOCASE)",
            },
        ),
        (
            "index",
            "customer",
            "customer_last_name_prefix",
            {
                "definition": "(last_name collate nocase)",
                "unique": "no",
                "_sql": "CREATE INDEX customer_last_name_prefix ON customer (last_name COLLATE NOCASE)",
            },
        ),
        (
            "index",
            "customer",
            "customer_phone_prefix",
            {
                "definition": "(phone collate nocase)",
                "unique": "no",
                "_sql": "CREATE INDEX customer_phone_prefix ON customer (phone COLLATE NOCASE)",
            },
        ),
        (
            "trigger",
            "customer",
            "customer_id_fixed",
            {
                "body": "before update of id on customer when new.id is not old.id begin select raise(abort, 'the id of a customer never changes');end",
                "_sql": "CREATE TRIGGER customer_id_fixed BEFORE UPDATE OF id ON customer\nWHEN new.id IS NOT old.id\nBEGIN\n  SELECT raise(ABORT, 'the id of a customer never changes');\nEND",
            },
        ),
        (
            "trigger",
            "customer",
            "customer_id_once",
            {
                "body": "before insert on customer when new.id<>-1 and new.id<=(select seq from sqlite_sequence where name='customer')begin select raise(abort, 'the id of a customer is never used again: use UPDATE');end",
                "_sql": "CREATE TRIGGER customer_id_once BEFORE INSERT ON customer\nWHEN new.id <> -1 AND new.id <= (SELECT seq FROM sqlite_sequence WHERE name = 'customer')\nBEGIN\n  SELECT raise(ABORT, 'the id of a customer is never used again: use UPDATE');\nEND",
            },
        ),
        (
            "trigger",
            "customer",
            "customer_version",
            {
                "body": "after update on customer when new.version is not old.version+1 begin update customer set version=old.version+1, updated_at=strftime('%Y-%m-%dT%H:%M:%fZ', 'now')where id=new.id;end",
                "_sql": "CREATE TRIGGER customer_version AFTER UPDATE ON customer\nWHEN new.version IS NOT old.version + 1\nBEGIN\n  UPDATE customer\n     SET version = old.version + 1,\n         updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')\n   WHERE id = new.id;\nEND",
            },
        ),
    ],
    (
        "migrations/0002_create_customer_password.sql",
        "v1:sha256:fc6959da44237a552aa4201ad5be50808d903577d0959bbb5b2d070c8b3920ea",
    ): [
        ("table", "customer_password", "", {"options": "without rowid"}),
        (
            "column",
            "customer_password",
            "customer_id",
            {
                "type": "integer",
                "nullable": "no",
                "_text": "customer_id INTEGER PRIMARY KEY\n              CONSTRAINT customer_password_customer REFERENCES customer (id) ON DELETE CASCADE",
            },
        ),
        (
            "column",
            "customer_password",
            "hash",
            {
                "type": "text",
                "nullable": "no",
                "_text": "hash        TEXT NOT NULL CONSTRAINT customer_password_argon2id CHECK (hash LIKE '$argon2id$%')",
            },
        ),
        (
            "column",
            "customer_password",
            "updated_at",
            {
                "type": "text",
                "nullable": "no",
                "default": "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
                "_text": "updated_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))",
            },
        ),
        ("primary key", "customer_password", "", {"columns": "customer_id"}),
        (
            "check",
            "customer_password",
            "customer_password_argon2id",
            {
                "definition": "hash like '$argon2id$%'",
                "_column": "hash",
                "_check": "CONSTRAINT \"customer_password_argon2id\" CHECK (hash LIKE '$argon2id$%')",
            },
        ),
        (
            "foreign key",
            "customer_password",
            "customer_password_customer",
            {"definition": "FOREIGN KEY (customer_id) REFERENCES customer (id) ON DELETE CASCADE"},
        ),
    ],
    (
        "migrations/0003_create_customer_audit.sql",
        "v1:sha256:38151c13c56be396adfb2c242ce46d8539fa8bc2dde5d744aff81e6c4eba02ab",
    ): [
        ("table", "customer_audit", "", {}),
        (
            "column",
            "customer_audit",
            "id",
            {"type": "integer", "nullable": "yes", "_text": "id                INTEGER PRIMARY KEY AUTOINCREMENT"},
        ),
        (
            "column",
            "customer_audit",
            "operation_id",
            {"type": "text", "nullable": "no", "_text": "operation_id      TEXT NOT NULL"},
        ),
        (
            "column",
            "customer_audit",
            "part",
            {
                "type": "integer",
                "nullable": "no",
                "default": "0",
                "_text": "part              INTEGER NOT NULL DEFAULT 0",
            },
        ),
        (
            "column",
            "customer_audit",
            "customer_id",
            {"type": "integer", "nullable": "no", "_text": "customer_id       INTEGER NOT NULL"},
        ),
        (
            "column",
            "customer_audit",
            "sequence",
            {"type": "integer", "nullable": "no", "_text": "sequence          INTEGER NOT NULL"},
        ),
        (
            "column",
            "customer_audit",
            "action",
            {"type": "text", "nullable": "no", "_text": "action            TEXT NOT NULL"},
        ),
        (
            "column",
            "customer_audit",
            "actor",
            {"type": "text", "nullable": "no", "_text": "actor             TEXT NOT NULL"},
        ),
        (
            "column",
            "customer_audit",
            "happened_at",
            {"type": "text", "nullable": "no", "_text": "happened_at       TEXT NOT NULL"},
        ),
        ("column", "customer_audit", "version", {"type": "text", "nullable": "yes", "_text": "version           TEXT"}),
        (
            "column",
            "customer_audit",
            "fields",
            {"type": "text", "nullable": "no", "default": "''", "_text": "fields            TEXT NOT NULL DEFAULT ''"},
        ),
        (
            "column",
            "customer_audit",
            "first_customer_id",
            {"type": "integer", "nullable": "yes", "_text": "first_customer_id INTEGER"},
        ),
        (
            "column",
            "customer_audit",
            "last_customer_id",
            {"type": "integer", "nullable": "yes", "_text": "last_customer_id  INTEGER"},
        ),
        (
            "column",
            "customer_audit",
            "detail",
            {
                "type": "text",
                "nullable": "no",
                "default": "'{}'",
                "_text": "detail            TEXT NOT NULL DEFAULT '{}'",
            },
        ),
        (
            "column",
            "customer_audit",
            "held_values",
            {"type": "text", "nullable": "yes", "_text": "held_values       TEXT"},
        ),
        ("column", "customer_audit", "salt", {"type": "text", "nullable": "yes", "_text": "salt              TEXT"}),
        (
            "column",
            "customer_audit",
            "values_hash",
            {"type": "text", "nullable": "no", "_text": "values_hash       TEXT NOT NULL"},
        ),
        (
            "column",
            "customer_audit",
            "previous_hash",
            {"type": "text", "nullable": "no", "_text": "previous_hash     TEXT NOT NULL"},
        ),
        (
            "column",
            "customer_audit",
            "row_hash",
            {"type": "text", "nullable": "no", "_text": "row_hash          TEXT NOT NULL"},
        ),
        ("primary key", "customer_audit", "", {"columns": "id", "autoincrement": "yes"}),
        (
            "index",
            "customer_audit",
            "customer_audit_batch",
            {
                "definition": "(last_customer_id)where last_customer_id is not null",
                "unique": "no",
                "_sql": "CREATE INDEX customer_audit_batch ON customer_audit (last_customer_id) WHERE last_customer_id IS NOT NULL",
            },
        ),
        (
            "index",
            "customer_audit",
            "customer_audit_chain",
            {
                "definition": "(customer_id, sequence)",
                "unique": "yes",
                "_sql": "CREATE UNIQUE INDEX customer_audit_chain ON customer_audit (customer_id, sequence)",
            },
        ),
        (
            "index",
            "customer_audit",
            "customer_audit_operation",
            {
                "definition": "(operation_id, part)",
                "unique": "yes",
                "_sql": "CREATE UNIQUE INDEX customer_audit_operation ON customer_audit (operation_id, part)",
            },
        ),
    ],
    (
        "migrations/0004_create_customer_status.sql",
        "v1:sha256:2615d1128ccc66e7c4137e5f22388a95a889697620e386524fabf1100548e6af",
    ): [
        ("table", "customer_status", "", {"options": "without rowid"}),
        (
            "column",
            "customer_status",
            "status",
            {"type": "text", "nullable": "no", "_text": "status      TEXT PRIMARY KEY"},
        ),
        (
            "column",
            "customer_status",
            "description",
            {"type": "text", "nullable": "no", "_text": "description TEXT NOT NULL"},
        ),
        (
            "column",
            "customer_status",
            "sort_order",
            {"type": "integer", "nullable": "no", "_text": "sort_order  INTEGER NOT NULL"},
        ),
        ("primary key", "customer_status", "", {"columns": "status"}),
    ],
    (
        "migrations/0005_create_customer_import.sql",
        "v1:sha256:8f9c177aa7695d1e893c8a250090fa00e5867664105817afee79294a2d750d8a",
    ): [
        ("table", "customer_import", "", {"options": "without rowid"}),
        (
            "column",
            "customer_import",
            "key",
            {"type": "text", "nullable": "no", "_text": "key        TEXT PRIMARY KEY"},
        ),
        (
            "column",
            "customer_import",
            "position",
            {"type": "text", "nullable": "no", "_text": "position   TEXT NOT NULL"},
        ),
        (
            "column",
            "customer_import",
            "updated_at",
            {
                "type": "text",
                "nullable": "no",
                "default": "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
                "_text": "updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))",
            },
        ),
        ("primary key", "customer_import", "", {"columns": "key"}),
    ],
    (
        "migrations/0006_create_customer_words.sql",
        "v1:sha256:1b3506d067edc3f3be3bea763826e6e31b38a8f18afda411b3e1f64d3616555d",
    ): [
        ("table", "custctl_letter", "", {"options": "without rowid"}),
        ("column", "custctl_letter", "letter", {"type": "text", "nullable": "no", "_text": "letter TEXT PRIMARY KEY"}),
        ("column", "custctl_letter", "folded", {"type": "text", "nullable": "no", "_text": "folded TEXT NOT NULL"}),
        ("primary key", "custctl_letter", "", {"columns": "letter"}),
    ],
    (
        "migrations/0007_create_customer_account.sql",
        "v1:sha256:5289765bc215536bbb16a3292e125d2d66318b4ed63e77f07f21cfd088042096",
    ): [
        ("table", "customer_account", "", {"options": "without rowid"}),
        (
            "column",
            "customer_account",
            "customer_id",
            {
                "type": "integer",
                "nullable": "no",
                "_text": "customer_id INTEGER PRIMARY KEY\n              CONSTRAINT customer_account_customer REFERENCES customer (id) ON DELETE CASCADE",
            },
        ),
        (
            "column",
            "customer_account",
            "provider",
            {"type": "text", "nullable": "no", "_text": "provider    TEXT NOT NULL"},
        ),
        (
            "column",
            "customer_account",
            "subject",
            {"type": "text", "nullable": "no", "_text": "subject     TEXT NOT NULL"},
        ),
        (
            "column",
            "customer_account",
            "email",
            {"type": "text", "nullable": "no", "_text": "email       TEXT NOT NULL"},
        ),
        (
            "column",
            "customer_account",
            "enabled",
            {
                "type": "integer",
                "nullable": "no",
                "_text": "enabled     INTEGER NOT NULL CONSTRAINT customer_account_enabled CHECK (enabled IN (0, 1))",
            },
        ),
        (
            "column",
            "customer_account",
            "seen_at",
            {"type": "text", "nullable": "no", "_text": "seen_at     TEXT NOT NULL"},
        ),
        ("primary key", "customer_account", "", {"columns": "customer_id"}),
        (
            "check",
            "customer_account",
            "customer_account_enabled",
            {
                "definition": "enabled in(0, 1)",
                "_column": "enabled",
                "_check": 'CONSTRAINT "customer_account_enabled" CHECK (enabled IN (0, 1))',
            },
        ),
        (
            "foreign key",
            "customer_account",
            "customer_account_customer",
            {"definition": "FOREIGN KEY (customer_id) REFERENCES customer (id) ON DELETE CASCADE"},
        ),
        (
            "index",
            "customer_account",
            "customer_account_subject",
            {
                "definition": "(subject)",
                "unique": "yes",
                "_sql": "CREATE UNIQUE INDEX customer_account_subject ON customer_account (subject)",
            },
        ),
        ("table", "customer_account_outbox", "", {}),
        (
            "column",
            "customer_account_outbox",
            "id",
            {"type": "integer", "nullable": "yes", "_text": "id              INTEGER PRIMARY KEY AUTOINCREMENT"},
        ),
        (
            "column",
            "customer_account_outbox",
            "customer_id",
            {"type": "integer", "nullable": "no", "_text": "customer_id     INTEGER NOT NULL"},
        ),
        (
            "column",
            "customer_account_outbox",
            "stray",
            {"type": "text", "nullable": "no", "_text": "stray           TEXT NOT NULL"},
        ),
        (
            "column",
            "customer_account_outbox",
            "subject",
            {"type": "text", "nullable": "yes", "_text": "subject         TEXT"},
        ),
        (
            "column",
            "customer_account_outbox",
            "intent",
            {"type": "text", "nullable": "yes", "_text": "intent          TEXT"},
        ),
        (
            "column",
            "customer_account_outbox",
            "operation_id",
            {"type": "text", "nullable": "no", "_text": "operation_id    TEXT NOT NULL"},
        ),
        (
            "column",
            "customer_account_outbox",
            "generation",
            {"type": "integer", "nullable": "no", "_text": "generation      INTEGER NOT NULL"},
        ),
        (
            "column",
            "customer_account_outbox",
            "attempts",
            {"type": "integer", "nullable": "no", "_text": "attempts        INTEGER NOT NULL"},
        ),
        (
            "column",
            "customer_account_outbox",
            "next_attempt_at",
            {"type": "text", "nullable": "no", "_text": "next_attempt_at TEXT NOT NULL"},
        ),
        (
            "column",
            "customer_account_outbox",
            "last_error",
            {"type": "text", "nullable": "yes", "_text": "last_error      TEXT"},
        ),
        (
            "column",
            "customer_account_outbox",
            "claimed_by",
            {"type": "text", "nullable": "yes", "_text": "claimed_by      TEXT"},
        ),
        (
            "column",
            "customer_account_outbox",
            "claimed_until",
            {"type": "text", "nullable": "yes", "_text": "claimed_until   TEXT"},
        ),
        (
            "column",
            "customer_account_outbox",
            "created_at",
            {"type": "text", "nullable": "no", "_text": "created_at      TEXT NOT NULL"},
        ),
        ("primary key", "customer_account_outbox", "", {"columns": "id", "autoincrement": "yes"}),
        (
            "index",
            "customer_account_outbox",
            "customer_account_outbox_about",
            {
                "definition": "(customer_id, stray)",
                "unique": "yes",
                "_sql": "CREATE UNIQUE INDEX customer_account_outbox_about ON customer_account_outbox (customer_id, stray)",
            },
        ),
        (
            "index",
            "customer_account_outbox",
            "customer_account_outbox_due",
            {
                "definition": "(next_attempt_at)",
                "unique": "no",
                "_sql": "CREATE INDEX customer_account_outbox_due ON customer_account_outbox (next_attempt_at)",
            },
        ),
        (
            "index",
            "customer_account_outbox",
            "customer_account_outbox_operation",
            {
                "definition": "(operation_id)",
                "unique": "no",
                "_sql": "CREATE INDEX customer_account_outbox_operation ON customer_account_outbox (operation_id)",
            },
        ),
    ],
    (
        "migrations/0008_add_audit_login.sql",
        "v1:sha256:ed9d4b3dab9a1b70dc572353efae1f44135bb15c487a179d1c3cffed2ffe1844",
    ): [
        (
            "column",
            "customer_audit",
            "database_login",
            {"type": "text", "nullable": "yes", "_text": "database_login TEXT"},
        )
    ],
    (
        "repeatable/custctl_searched.sql",
        "v1:sha256:f82ed47007f60a511048ed6883a36fbe2680e2947fc3c38ee1122e095c5abb21",
    ): [],
    ("repeatable/customer_search.sql", "v1:sha256:7e13a3bca2b5585fb2499ca50d018a37ac87dca69756e28056b84fb94a0d8f18"): [
        (
            "trigger",
            "customer",
            "customer_search_delete",
            {
                "body": "after delete on customer begin insert into customer_search(customer_search, rowid, c0)select 'delete', id, c0 from customer_words_content where id=old.id;delete from customer_words where rowid=old.id;end",
                "_sql": "CREATE TRIGGER customer_search_delete AFTER DELETE ON customer\nBEGIN\n  INSERT INTO customer_search (customer_search, rowid, c0)\n  SELECT 'delete', id, c0 FROM customer_words_content WHERE id = old.id;\n  DELETE FROM customer_words WHERE rowid = old.id;\nEND",
            },
        ),
        (
            "trigger",
            "customer",
            "customer_search_insert",
            {
                "body": "after insert on customer begin insert into customer_words(rowid, texts, more)select id, texts, more from custctl_searched where id=new.id;insert into customer_search(rowid, c0)select id, c0 from customer_words_content where id=new.id;end",
                "_sql": "CREATE TRIGGER customer_search_insert AFTER INSERT ON customer\nBEGIN\n  INSERT INTO customer_words (rowid, texts, more) SELECT id, texts, more FROM custctl_searched WHERE id = new.id;\n  INSERT INTO customer_search (rowid, c0) SELECT id, c0 FROM customer_words_content WHERE id = new.id;\nEND",
            },
        ),
        (
            "trigger",
            "customer",
            "customer_search_update",
            {
                "body": "after update of email, first_name, last_name, company, city, phone on customer begin insert into customer_search(customer_search, rowid, c0)select 'delete', id, c0 from customer_words_content where id=old.id;delete from customer_words where rowid=old.id;insert into customer_words(rowid, texts, more)select id, texts, more from custctl_searched where id=new.id;insert into customer_search(rowid, c0)select id, c0 from customer_words_content where id=new.id;end",
                "_sql": "CREATE TRIGGER customer_search_update AFTER UPDATE OF email, first_name, last_name, company, city, phone ON customer\nBEGIN\n  INSERT INTO customer_search (customer_search, rowid, c0)\n  SELECT 'delete', id, c0 FROM customer_words_content WHERE id = old.id;\n  DELETE FROM customer_words WHERE rowid = old.id;\n  INSERT INTO customer_words (rowid, texts, more) SELECT id, texts, more FROM custctl_searched WHERE id = new.id;\n  INSERT INTO customer_search (rowid, c0) SELECT id, c0 FROM customer_words_content WHERE id = new.id;\nEND",
            },
        ),
        (
            "table",
            "customer_search",
            "",
            {
                "_sql": "CREATE VIRTUAL TABLE customer_search USING fts5 (\n  c0, content = 'customer_words_content', content_rowid = 'id', tokenize = 'trigram', detail = 'none', columnsize = 0\n)"
            },
        ),
        (
            "table",
            "customer_words",
            "",
            {
                "_sql": "CREATE VIRTUAL TABLE customer_words USING fts5 (\n  texts, more, tokenize = 'ascii', prefix = '1 2 3', detail = 'none', columnsize = 0\n)"
            },
        ),
    ],
}
