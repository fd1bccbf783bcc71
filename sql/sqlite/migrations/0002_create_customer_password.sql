-- Passwords live apart from the customer, so that reading customers never reads a hash.

CREATE TABLE customer_password (
  customer_id INTEGER PRIMARY KEY
              CONSTRAINT customer_password_customer REFERENCES customer (id) ON DELETE CASCADE,
  -- argon2id in the PHC string format: parameters, salt and hash in one.
  hash        TEXT NOT NULL CONSTRAINT customer_password_argon2id CHECK (hash LIKE '$argon2id$%'),
  updated_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) WITHOUT ROWID;
