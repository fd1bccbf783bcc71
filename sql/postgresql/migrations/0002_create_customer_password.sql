-- Passwords live apart from the customer, so that reading customers never reads a hash.

CREATE TABLE customer_password (
  customer_id bigint CONSTRAINT customer_password_pk PRIMARY KEY
              CONSTRAINT customer_password_customer REFERENCES customer (id) ON DELETE CASCADE,
  -- argon2id in the PHC string format: parameters, salt and hash in one.
  hash        text COLLATE "C" NOT NULL
              CONSTRAINT customer_password_argon2id CHECK (hash LIKE '$argon2id$%'),
  updated_at  timestamptz(3) NOT NULL DEFAULT clock_timestamp()
);
