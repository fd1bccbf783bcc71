-- One row a write, in the write's own transaction. The rows of one customer form a chain: `row_hash`
-- covers every column but `id`, `salt` and `held_values`, and the hash of the row before it.

CREATE TABLE customer_audit (
  id                INTEGER PRIMARY KEY AUTOINCREMENT,
  operation_id      TEXT NOT NULL,
  -- Where an operation writes many rows: an import one a batch from 1 on, a seed one a script from -1 down; else 0.
  part              INTEGER NOT NULL DEFAULT 0,
  -- 0: the write concerns the database itself (an import's batch, a seed, a restamp).
  customer_id       INTEGER NOT NULL,
  -- 1, 2, 3, … within the chain of one customer.
  sequence          INTEGER NOT NULL,
  action            TEXT NOT NULL,
  actor             TEXT NOT NULL,
  happened_at       TEXT NOT NULL,
  -- The version that the write left behind, as clients see it.
  version           TEXT,
  -- The names of the fields that were written, separated by commas.
  fields            TEXT NOT NULL DEFAULT '',
  -- The customers that a batch touched lie between these two.
  first_customer_id INTEGER,
  last_customer_id  INTEGER,
  -- Facts about the write that hold no personal data, as JSON.
  detail            TEXT NOT NULL DEFAULT '{}',
  -- The values written, as JSON, and the salt of their hash: both are erased with the customer.
  held_values       TEXT,
  salt              TEXT,
  values_hash       TEXT NOT NULL,
  previous_hash     TEXT NOT NULL,
  row_hash          TEXT NOT NULL
);

CREATE UNIQUE INDEX customer_audit_operation ON customer_audit (operation_id, part);
CREATE UNIQUE INDEX customer_audit_chain ON customer_audit (customer_id, sequence);
CREATE INDEX customer_audit_batch ON customer_audit (last_customer_id) WHERE last_customer_id IS NOT NULL;
