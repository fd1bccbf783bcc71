-- Which account at the identity provider is whose, and what is still to be done there. Both stay empty where a
-- profile names no provider.

CREATE TABLE customer_account (
  customer_id bigint CONSTRAINT customer_account_pk PRIMARY KEY
              CONSTRAINT customer_account_customer REFERENCES customer (id) ON DELETE CASCADE,
  provider    text COLLATE "C" NOT NULL,
  -- What the provider knows the account by for ever; an email is no such thing.
  subject     text COLLATE "C" NOT NULL,
  -- As the provider showed the account last.
  email       text COLLATE "C" NOT NULL,
  enabled     integer NOT NULL CONSTRAINT customer_account_enabled CHECK (enabled IN (0, 1)),
  seen_at     timestamptz(3) NOT NULL
);

CREATE UNIQUE INDEX customer_account_subject ON customer_account (subject);

-- At most one row a customer: bring the account to the customer's present state, which for one that is deleted is no
-- account. An account that is no customer's has a row under its subject, and 0 for the customer. No password, ever.
CREATE TABLE customer_account_outbox (
  id              bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT customer_account_outbox_pk PRIMARY KEY,
  customer_id     bigint NOT NULL,
  stray           text COLLATE "C" NOT NULL,
  -- The account that a deleted customer had.
  subject         text COLLATE "C",
  -- The email that an account was about to be made with, written down before the provider was asked.
  intent          text COLLATE "C",
  operation_id    text COLLATE "C" NOT NULL,
  -- Raised by each write of the customer: what was done for an older one is not all.
  generation      bigint NOT NULL,
  attempts        integer NOT NULL,
  next_attempt_at timestamptz(3) NOT NULL,
  last_error      text COLLATE "C",
  -- Who works on it, and until when nobody else may.
  claimed_by      text COLLATE "C",
  claimed_until   timestamptz(3),
  created_at      timestamptz(3) NOT NULL
);

CREATE UNIQUE INDEX customer_account_outbox_about ON customer_account_outbox (customer_id, stray);
CREATE INDEX customer_account_outbox_due ON customer_account_outbox (next_attempt_at, id);
CREATE INDEX customer_account_outbox_operation ON customer_account_outbox (operation_id);
