"""What each of the product's scripts makes on this engine; `make shapes` writes this file."""

from __future__ import annotations

from custctl.engines.shaping import Made

MADE: Made = {
    (
        "migrations/0001_create_customer.sql",
        "v1:sha256:c04bcaa919bed1ffd306fbe598c2c36d24a867594dd876f5ad2ffd91c6c67292",
    ): [
        (
            "function",
            "",
            "custctl_fold(text)",
            {
                "result": "text",
                "_sql": "DO $$\nDECLARE\n  collation_name text;\nBEGIN\n  SELECT c.collname INTO collation_name\n    FROM pg_catalog.pg_collation AS c\n   WHERE c.collnamespace = 'pg_catalog'::regnamespace\n     AND c.collname IN ('pg_c_utf8', 'und-x-icu')\n     AND c.collencoding IN (-1, (SELECT d.encoding FROM pg_catalog.pg_database AS d WHERE d.datname = current_database()))\n   ORDER BY c.collname = 'pg_c_utf8' DESC\n   LIMIT 1;\n  EXECUTE format(\n    'CREATE FUNCTION custctl_fold (value text) RETURNS text\n     LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT\n     RETURN replace(replace(lower(replace(value, %1$L, chr(1)) COLLATE pg_catalog.%2$I), chr(1), %1$L), %3$L, %4$L)\n       COLLATE pg_catalog.\"C\"',\n    'İ', coalesce(collation_name, 'default'), 'ς', 'σ');\nEND\n$$",
            },
        ),
        (
            "function",
            "",
            "customer_raise_version()",
            {
                "result": "trigger",
                "body": "3e639440e7ec1881a26f31b646db867d",
                "_sql": "CREATE FUNCTION customer_raise_version () RETURNS trigger\nLANGUAGE plpgsql AS $$\nBEGIN\n  IF NEW.id <> OLD.id THEN\n    RAISE EXCEPTION 'the id of a customer never changes' USING ERRCODE = 'integrity_constraint_violation';\n  END IF;\n  NEW.version := OLD.version + 1;\n  NEW.updated_at := clock_timestamp();\n  RETURN NEW;\nEND\n$$",
            },
        ),
        ("table", "customer", "", {}),
        ("column", "customer", "id", {"type": "bigint", "nullable": "no", "identity": "always"}),
        ("column", "customer", "email", {"type": "text", "nullable": "no", "collation": "C"}),
        ("column", "customer", "first_name", {"type": "text", "nullable": "no", "collation": "C"}),
        ("column", "customer", "last_name", {"type": "text", "nullable": "no", "collation": "C"}),
        ("column", "customer", "phone", {"type": "text", "nullable": "yes", "collation": "C"}),
        ("column", "customer", "company", {"type": "text", "nullable": "yes", "collation": "C"}),
        ("column", "customer", "address_line", {"type": "text", "nullable": "yes", "collation": "C"}),
        ("column", "customer", "city", {"type": "text", "nullable": "yes", "collation": "C"}),
        ("column", "customer", "region", {"type": "text", "nullable": "yes", "collation": "C"}),
        ("column", "customer", "postal_code", {"type": "text", "nullable": "yes", "collation": "C"}),
        ("column", "customer", "country", {"type": "text", "nullable": "yes", "collation": "C"}),
        (
            "column",
            "customer",
            "status",
            {"type": "text", "nullable": "no", "collation": "C", "default": "'active'::text"},
        ),
        ("column", "customer", "version", {"type": "bigint", "nullable": "no", "default": "1"}),
        (
            "column",
            "customer",
            "created_at",
            {"type": "timestamp(3) with time zone", "nullable": "no", "default": "clock_timestamp()"},
        ),
        (
            "column",
            "customer",
            "updated_at",
            {"type": "timestamp(3) with time zone", "nullable": "no", "default": "clock_timestamp()"},
        ),
        ("primary key", "customer", "", {"columns": "id", "_name": "customer_pk"}),
        (
            "check",
            "customer",
            "customer_address_line_length",
            {
                "definition": "CHECK (char_length(address_line) >= 1 AND char_length(address_line) <= 200)",
                "validated": "yes",
            },
        ),
        (
            "check",
            "customer",
            "customer_city_length",
            {"definition": "CHECK (char_length(city) >= 1 AND char_length(city) <= 100)", "validated": "yes"},
        ),
        (
            "check",
            "customer",
            "customer_company_length",
            {"definition": "CHECK (char_length(company) >= 1 AND char_length(company) <= 200)", "validated": "yes"},
        ),
        (
            "check",
            "customer",
            "customer_country_length",
            {"definition": "CHECK (char_length(country) >= 1 AND char_length(country) <= 100)", "validated": "yes"},
        ),
        (
            "check",
            "customer",
            "customer_email_length",
            {"definition": "CHECK (char_length(email) >= 3 AND char_length(email) <= 254)", "validated": "yes"},
        ),
        (
            "check",
            "customer",
            "customer_email_lower_case",
            {"definition": "CHECK (email = lower(email))", "validated": "yes"},
        ),
        (
            "check",
            "customer",
            "customer_first_name_length",
            {
                "definition": "CHECK (char_length(first_name) >= 1 AND char_length(first_name) <= 100)",
                "validated": "yes",
            },
        ),
        (
            "check",
            "customer",
            "customer_last_name_length",
            {"definition": "CHECK (char_length(last_name) >= 1 AND char_length(last_name) <= 100)", "validated": "yes"},
        ),
        (
            "check",
            "customer",
            "customer_phone_length",
            {"definition": "CHECK (char_length(phone) >= 1 AND char_length(phone) <= 40)", "validated": "yes"},
        ),
        (
            "check",
            "customer",
            "customer_postal_code_length",
            {
                "definition": "CHECK (char_length(postal_code) >= 1 AND char_length(postal_code) <= 20)",
                "validated": "yes",
            },
        ),
        (
            "check",
            "customer",
            "customer_region_length",
            {"definition": "CHECK (char_length(region) >= 1 AND char_length(region) <= 100)", "validated": "yes"},
        ),
        (
            "check",
            "customer",
            "customer_status_known",
            {
                "definition": "CHECK (status = ANY (ARRAY['active'::text, 'suspended'::text, 'closed'::text]))",
                "validated": "yes",
            },
        ),
        (
            "index",
            "customer",
            "customer_by_country",
            {
                "definition": "USING btree (country, id)",
                "unique": "no",
                "valid": "yes",
                "_sql": "CREATE INDEX customer_by_country ON customer (country, id)",
            },
        ),
        (
            "index",
            "customer",
            "customer_by_created_at",
            {
                "definition": "USING btree (created_at, id)",
                "unique": "no",
                "valid": "yes",
                "_sql": "CREATE INDEX customer_by_created_at ON customer (created_at, id)",
            },
        ),
        (
            "index",
            "customer",
            "customer_by_last_name",
            {
                "definition": "USING btree (last_name, id)",
                "unique": "no",
                "valid": "yes",
                "_sql": "CREATE INDEX customer_by_last_name ON customer (last_name, id)",
            },
        ),
        (
            "index",
            "customer",
            "customer_by_status",
            {
                "definition": "USING btree (status, id)",
                "unique": "no",
                "valid": "yes",
                "_sql": "CREATE INDEX customer_by_status ON customer (status, id)",
            },
        ),
        (
            "index",
            "customer",
            "customer_by_updated_at",
            {
                "definition": "USING btree (updated_at, id)",
                "unique": "no",
                "valid": "yes",
                "_sql": "CREATE INDEX customer_by_updated_at ON customer (updated_at, id)",
            },
        ),
        (
            "index",
            "customer",
            "customer_company_prefix",
            {
                "definition": "USING btree (custctl_fold(company), id)",
                "unique": "no",
                "valid": "yes",
                "_sql": "CREATE INDEX customer_company_prefix ON customer (custctl_fold(company), id)",
            },
        ),
        (
            "index",
            "customer",
            "customer_email_unique",
            {
                "definition": "USING btree (email)",
                "unique": "yes",
                "valid": "yes",
                "_sql": "CREATE UNIQUE INDEX customer_email_unique ON customer (email)",
            },
        ),
        (
            "index",
            "customer",
            "customer_first_name_prefix",
            {
                "definition": "USING btree (custctl_fold(first_name), id)",
                "unique": "no",
                "valid": "yes",
                "_sql": "CREATE INDEX customer_first_name_prefix ON customer (custctl_fold(first_name), id)",
            },
        ),
        (
            "index",
            "customer",
            "customer_last_name_prefix",
            {
                "definition": "USING btree (custctl_fold(last_name), id)",
                "unique": "no",
                "valid": "yes",
                "_sql": "CREATE INDEX customer_last_name_prefix ON customer (custctl_fold(last_name), id)",
            },
        ),
        (
            "index",
            "customer",
            "customer_phone_prefix",
            {
                "definition": "USING btree (custctl_fold(phone), id)",
                "unique": "no",
                "valid": "yes",
                "_sql": "CREATE INDEX customer_phone_prefix ON customer (custctl_fold(phone), id)",
            },
        ),
        (
            "trigger",
            "customer",
            "zz_customer_version",
            {
                "definition": "BEFORE UPDATE ON customer FOR EACH ROW EXECUTE FUNCTION customer_raise_version()",
                "enabled": "always",
                "_sql": "CREATE TRIGGER zz_customer_version BEFORE UPDATE ON customer\nFOR EACH ROW EXECUTE FUNCTION customer_raise_version()",
            },
        ),
    ],
    (
        "migrations/0002_create_customer_password.sql",
        "v1:sha256:11d413d5174f97c9e4e28fa8433660afcb8f7473ee8728c8253c348b4b1e4be2",
    ): [
        ("table", "customer_password", "", {}),
        ("column", "customer_password", "customer_id", {"type": "bigint", "nullable": "no"}),
        ("column", "customer_password", "hash", {"type": "text", "nullable": "no", "collation": "C"}),
        (
            "column",
            "customer_password",
            "updated_at",
            {"type": "timestamp(3) with time zone", "nullable": "no", "default": "clock_timestamp()"},
        ),
        ("primary key", "customer_password", "", {"columns": "customer_id", "_name": "customer_password_pk"}),
        (
            "check",
            "customer_password",
            "customer_password_argon2id",
            {"definition": "CHECK (hash ~~ '$argon2id$%'::text)", "validated": "yes"},
        ),
        (
            "foreign key",
            "customer_password",
            "customer_password_customer",
            {"definition": "FOREIGN KEY (customer_id) REFERENCES customer(id) ON DELETE CASCADE", "validated": "yes"},
        ),
    ],
    (
        "migrations/0003_create_customer_audit.sql",
        "v1:sha256:e070f5b2800f2682a61cb1deee0607310a5e48032bcbdb42be97960a594f8055",
    ): [
        ("table", "customer_audit", "", {}),
        ("column", "customer_audit", "id", {"type": "bigint", "nullable": "no", "identity": "always"}),
        ("column", "customer_audit", "operation_id", {"type": "text", "nullable": "no", "collation": "C"}),
        ("column", "customer_audit", "part", {"type": "integer", "nullable": "no", "default": "0"}),
        ("column", "customer_audit", "customer_id", {"type": "bigint", "nullable": "no"}),
        ("column", "customer_audit", "sequence", {"type": "bigint", "nullable": "no"}),
        ("column", "customer_audit", "action", {"type": "text", "nullable": "no", "collation": "C"}),
        ("column", "customer_audit", "actor", {"type": "text", "nullable": "no", "collation": "C"}),
        ("column", "customer_audit", "happened_at", {"type": "timestamp(3) with time zone", "nullable": "no"}),
        ("column", "customer_audit", "version", {"type": "text", "nullable": "yes", "collation": "C"}),
        (
            "column",
            "customer_audit",
            "fields",
            {"type": "text", "nullable": "no", "collation": "C", "default": "''::text"},
        ),
        ("column", "customer_audit", "first_customer_id", {"type": "bigint", "nullable": "yes"}),
        ("column", "customer_audit", "last_customer_id", {"type": "bigint", "nullable": "yes"}),
        (
            "column",
            "customer_audit",
            "detail",
            {"type": "text", "nullable": "no", "collation": "C", "default": "'{}'::text"},
        ),
        ("column", "customer_audit", "held_values", {"type": "text", "nullable": "yes", "collation": "C"}),
        ("column", "customer_audit", "salt", {"type": "text", "nullable": "yes", "collation": "C"}),
        ("column", "customer_audit", "values_hash", {"type": "text", "nullable": "no", "collation": "C"}),
        ("column", "customer_audit", "previous_hash", {"type": "text", "nullable": "no", "collation": "C"}),
        ("column", "customer_audit", "row_hash", {"type": "text", "nullable": "no", "collation": "C"}),
        ("primary key", "customer_audit", "", {"columns": "id", "_name": "customer_audit_pk"}),
        (
            "index",
            "customer_audit",
            "customer_audit_batch",
            {
                "definition": "USING btree (last_customer_id) WHERE last_customer_id IS NOT NULL",
                "unique": "no",
                "valid": "yes",
                "_sql": "CREATE INDEX customer_audit_batch ON customer_audit (last_customer_id) WHERE last_customer_id IS NOT NULL",
            },
        ),
        (
            "index",
            "customer_audit",
            "customer_audit_chain",
            {
                "definition": "USING btree (customer_id, sequence)",
                "unique": "yes",
                "valid": "yes",
                "_sql": "CREATE UNIQUE INDEX customer_audit_chain ON customer_audit (customer_id, sequence)",
            },
        ),
        (
            "index",
            "customer_audit",
            "customer_audit_operation",
            {
                "definition": "USING btree (operation_id, part)",
                "unique": "yes",
                "valid": "yes",
                "_sql": "CREATE UNIQUE INDEX customer_audit_operation ON customer_audit (operation_id, part)",
            },
        ),
    ],
    (
        "migrations/0004_create_customer_status.sql",
        "v1:sha256:6b61413bd45fb90f169936a9da65adc9dc07f02c564ff860ce46c50cff21ce24",
    ): [
        ("table", "customer_status", "", {}),
        ("column", "customer_status", "status", {"type": "text", "nullable": "no", "collation": "C"}),
        ("column", "customer_status", "description", {"type": "text", "nullable": "no", "collation": "C"}),
        ("column", "customer_status", "sort_order", {"type": "integer", "nullable": "no"}),
        ("primary key", "customer_status", "", {"columns": "status", "_name": "customer_status_pk"}),
    ],
    (
        "migrations/0005_create_customer_import.sql",
        "v1:sha256:29009442cf8391b1912544012c796b2e22ad428f60732c11ea82a1043f7449ca",
    ): [
        ("table", "customer_import", "", {}),
        ("column", "customer_import", "key", {"type": "text", "nullable": "no", "collation": "C"}),
        ("column", "customer_import", "position", {"type": "text", "nullable": "no", "collation": "C"}),
        (
            "column",
            "customer_import",
            "updated_at",
            {"type": "timestamp(3) with time zone", "nullable": "no", "default": "clock_timestamp()"},
        ),
        ("primary key", "customer_import", "", {"columns": "key", "_name": "customer_import_pk"}),
    ],
    (
        "migrations/0008_add_audit_login.sql",
        "v1:sha256:4a2e9ccfc4774127345dc2573ec47e3e61668ad02aee6000cd7c61f1c0a3b52f",
    ): [
        (
            "function",
            "",
            "customer_audit_check_login()",
            {
                "result": "trigger",
                "body": "9d08ca68438af59aecc650de3d1c9098",
                "_sql": "CREATE FUNCTION customer_audit_check_login () RETURNS trigger\nLANGUAGE plpgsql AS $$\nBEGIN\n  IF NEW.database_login IS DISTINCT FROM session_user::text THEN\n    RAISE insufficient_privilege\n      USING MESSAGE = 'the login of an audit entry is that of the session', TABLE = TG_TABLE_NAME;\n  END IF;\n  RETURN NEW;\nEND\n$$",
            },
        ),
        (
            "column",
            "customer_audit",
            "database_login",
            {"type": "text", "nullable": "yes", "collation": "C", "default": "SESSION_USER"},
        ),
        (
            "trigger",
            "customer_audit",
            "customer_audit_login",
            {
                "definition": "BEFORE INSERT ON customer_audit FOR EACH ROW EXECUTE FUNCTION customer_audit_check_login()",
                "enabled": "yes",
                "_sql": "CREATE TRIGGER customer_audit_login\nBEFORE INSERT ON customer_audit\nFOR EACH ROW EXECUTE FUNCTION customer_audit_check_login()",
            },
        ),
    ],
    ("repeatable/customer_search.sql", "v1:sha256:8716ff8c382b536b1ac926e61d643814df0cee25f4179c369b477e8608d5d285"): [
        (
            "index",
            "customer",
            "customer_search",
            {
                "definition": "USING gin (custctl_fold(email) gin_trgm_ops, custctl_fold(first_name) gin_trgm_ops, custctl_fold(last_name) gin_trgm_ops, custctl_fold(company) gin_trgm_ops, custctl_fold(phone) gin_trgm_ops)",
                "unique": "no",
                "valid": "yes",
                "_sql": "DO $$\nDECLARE\n  opclass text;\nBEGIN\n  SELECT format('%I.gin_trgm_ops', n.nspname) INTO STRICT opclass\n    FROM pg_catalog.pg_extension AS e\n    JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace\n   WHERE e.extname = 'pg_trgm';\n  EXECUTE format(\n    'CREATE INDEX IF NOT EXISTS customer_search ON customer USING gin (\n       custctl_fold(email) %1$s, custctl_fold(first_name) %1$s, custctl_fold(last_name) %1$s,\n       custctl_fold(company) %1$s, custctl_fold(phone) %1$s)', opclass);\nEND\n$$",
            },
        )
    ],
    ("repeatable/roles.sql", "v1:sha256:6f6626a84c79eadf6cc0a41104652f262bb5d8f8c840981e14e08c4efb2567dc"): [],
}
