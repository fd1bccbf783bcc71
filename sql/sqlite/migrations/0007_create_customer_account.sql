-- Which account at the identity provider is whose, and what is still to be done there. Both stay empty where a
-- profile names no provider.

CREATE TABLE customer_account (
  customer_id INTEGER PRIMARY KEY
              CONSTRAINT customer_account_customer REFERENCES customer (id) ON DELETE CASCADE,
  provider    TEXT NOT NULL,
  -- What the provider knows the account by for ever; an email is no such thing.
  subject     TEXT NOT NULL,
  -- As the provider showed the account last.
  email       TEXT NOT NULL,
  enabled     INTEGER NOT NULL CONSTRAINT customer_account_enabled CHECK (enabled IN (0, 1)),
  seen_at     TEXT NOT NULL
) WITHOUT ROWID;

CREATE UNIQUE INDEX customer_account_subject ON customer_account (subject);

-- At most one row a customer: bring the account to the customer's present state, which for one that is deleted is no
-- account. An account that is no customer's has a row under its subject, and 0 for the customer. No password, ever.
CREATE TABLE customer_account_outbox (
  id              INTEGER PRIMARY KEY AUTOINCREMENT,
  customer_id     INTEGER NOT NULL,
  stray           TEXT NOT NULL,
  -- The account that a deleted customer had.
  subject         TEXT,
  -- The email that an account was about to be made with, written down before the provider was asked.
  intent          TEXT,
  operation_id    TEXT NOT NULL,
  -- Raised by each write of the customer: what was done for an older one is not all.
  generation      INTEGER NOT NULL,
  attempts        INTEGER NOT NULL,
  next_attempt_at TEXT NOT NULL,
  last_error      TEXT,
  -- Who works on it, and until when nobody else may.
  claimed_by      TEXT,
  claimed_until   TEXT,
  created_at      TEXT NOT NULL
);

CREATE UNIQUE INDEX customer_account_outbox_about ON customer_account_outbox (customer_id, stray);
CREATE INDEX customer_account_outbox_due ON customer_account_outbox (next_attempt_at);
CREATE INDEX customer_account_outbox_operation ON customer_account_outbox (operation_id);
