-- Which account at the identity provider is whose, and what is still to be done there. Both stay empty where a
-- profile names no provider.

CREATE TABLE customer_account (
  customer_id BIGINT NOT NULL CONSTRAINT customer_account_pk PRIMARY KEY
              CONSTRAINT customer_account_customer REFERENCES customer (id) ON DELETE CASCADE,
  provider    NVARCHAR(400) COLLATE Latin1_General_BIN2 NOT NULL,
  -- What the provider knows the account by for ever; an email is no such thing.
  subject     NVARCHAR(510) COLLATE Latin1_General_BIN2 NOT NULL,
  -- As the provider showed the account last.
  email       NVARCHAR(508) COLLATE Latin1_General_BIN2 NOT NULL,
  enabled     INT NOT NULL CONSTRAINT customer_account_enabled CHECK (enabled IN (0, 1)),
  seen_at     DATETIME2(3) NOT NULL
);
GO

CREATE UNIQUE INDEX customer_account_subject ON customer_account (subject);
GO

-- At most one row a customer: bring the account to the customer's present state, which for one that is deleted is no
-- account. An account that is no customer's has a row under its subject, and 0 for the customer. No password, ever.
CREATE TABLE customer_account_outbox (
  id              BIGINT IDENTITY (1, 1) NOT NULL CONSTRAINT customer_account_outbox_pk PRIMARY KEY,
  customer_id     BIGINT NOT NULL,
  stray           NVARCHAR(510) COLLATE Latin1_General_BIN2 NOT NULL,
  -- The account that a deleted customer had.
  subject         NVARCHAR(510) COLLATE Latin1_General_BIN2 NULL,
  -- The email that an account was about to be made with, written down before the provider was asked.
  intent          NVARCHAR(508) COLLATE Latin1_General_BIN2 NULL,
  operation_id    NVARCHAR(36) COLLATE Latin1_General_BIN2 NOT NULL,
  -- Raised by each write of the customer: what was done for an older one is not all.
  generation      BIGINT NOT NULL,
  attempts        INT NOT NULL,
  next_attempt_at DATETIME2(3) NOT NULL,
  last_error      NVARCHAR(1000) COLLATE Latin1_General_BIN2 NULL,
  -- Who works on it, and until when nobody else may.
  claimed_by      NVARCHAR(36) COLLATE Latin1_General_BIN2 NULL,
  claimed_until   DATETIME2(3) NULL,
  created_at      DATETIME2(3) NOT NULL
);
GO

CREATE UNIQUE INDEX customer_account_outbox_about ON customer_account_outbox (customer_id, stray);
GO
CREATE INDEX customer_account_outbox_due ON customer_account_outbox (next_attempt_at, id);
GO
CREATE INDEX customer_account_outbox_operation ON customer_account_outbox (operation_id);
GO
