-- One row a write, in the write's own transaction. The rows of one customer form a chain: `row_hash`
-- covers every column but `id`, `salt` and `held_values`, and the hash of the row before it.

CREATE TABLE customer_audit (
  id                BIGINT IDENTITY (1, 1) NOT NULL CONSTRAINT customer_audit_pk PRIMARY KEY,
  operation_id      NVARCHAR(36) COLLATE Latin1_General_BIN2 NOT NULL,
  -- Where an operation writes many rows: an import one a batch from 1 on, a seed one a script from -1 down; else 0.
  part              INT NOT NULL CONSTRAINT customer_audit_part_default DEFAULT 0,
  -- 0: the write concerns the database itself (an import's batch, a seed, a restamp).
  customer_id       BIGINT NOT NULL,
  -- 1, 2, 3, … within the chain of one customer.
  sequence          BIGINT NOT NULL,
  action            NVARCHAR(30) COLLATE Latin1_General_BIN2 NOT NULL,
  actor             NVARCHAR(400) COLLATE Latin1_General_BIN2 NOT NULL,
  happened_at       DATETIME2(3) NOT NULL,
  -- The version that the write left behind, as clients see it.
  version           NVARCHAR(60) COLLATE Latin1_General_BIN2 NULL,
  -- The names of the fields that were written, separated by commas.
  fields            NVARCHAR(400) COLLATE Latin1_General_BIN2 NOT NULL
                    CONSTRAINT customer_audit_fields_default DEFAULT N'',
  -- The customers that a batch touched lie between these two.
  first_customer_id BIGINT NULL,
  last_customer_id  BIGINT NULL,
  -- Facts about the write that hold no personal data, as JSON.
  detail            NVARCHAR(MAX) COLLATE Latin1_General_BIN2 NOT NULL
                    CONSTRAINT customer_audit_detail_default DEFAULT N'{}',
  -- The values written, as JSON, and the salt of their hash: both are erased with the customer.
  held_values       NVARCHAR(MAX) COLLATE Latin1_General_BIN2 NULL,
  salt              NVARCHAR(64) COLLATE Latin1_General_BIN2 NULL,
  values_hash       NVARCHAR(64) COLLATE Latin1_General_BIN2 NOT NULL,
  previous_hash     NVARCHAR(64) COLLATE Latin1_General_BIN2 NOT NULL,
  row_hash          NVARCHAR(64) COLLATE Latin1_General_BIN2 NOT NULL
);
GO

CREATE UNIQUE INDEX customer_audit_operation ON customer_audit (operation_id, part);
CREATE UNIQUE INDEX customer_audit_chain ON customer_audit (customer_id, sequence);
CREATE INDEX customer_audit_batch ON customer_audit (last_customer_id, first_customer_id);
GO
