-- One row a write, in the write's own transaction. The rows of one customer form a chain: `row_hash`
-- covers every column but `id`, `salt` and `held_values`, and the hash of the row before it.

CREATE TABLE customer_audit (
  id                bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT customer_audit_pk PRIMARY KEY,
  operation_id      text COLLATE "C" NOT NULL,
  -- Where an operation writes many rows: an import one a batch from 1 on, a seed one a script from -1 down; else 0.
  part              integer NOT NULL DEFAULT 0,
  -- 0: the write concerns the database itself (an import's batch, a seed, a restamp).
  customer_id       bigint NOT NULL,
  -- 1, 2, 3, … within the chain of one customer.
  sequence          bigint NOT NULL,
  action            text COLLATE "C" NOT NULL,
  actor             text COLLATE "C" NOT NULL,
  happened_at       timestamptz(3) NOT NULL,
  -- The version that the write left behind, as clients see it.
  version           text COLLATE "C",
  -- The names of the fields that were written, separated by commas.
  fields            text COLLATE "C" NOT NULL DEFAULT '',
  -- The customers that a batch touched lie between these two.
  first_customer_id bigint,
  last_customer_id  bigint,
  -- Facts about the write that hold no personal data, as JSON; text, because its bytes are hashed.
  detail            text COLLATE "C" NOT NULL DEFAULT '{}',
  -- The values written, as JSON, and the salt of their hash: both are erased with the customer.
  held_values       text COLLATE "C",
  salt              text COLLATE "C",
  values_hash       text COLLATE "C" NOT NULL,
  previous_hash     text COLLATE "C" NOT NULL,
  row_hash          text COLLATE "C" NOT NULL
);

CREATE UNIQUE INDEX customer_audit_operation ON customer_audit (operation_id, part);
CREATE UNIQUE INDEX customer_audit_chain ON customer_audit (customer_id, sequence);
CREATE INDEX customer_audit_batch ON customer_audit (last_customer_id) WHERE last_customer_id IS NOT NULL;
