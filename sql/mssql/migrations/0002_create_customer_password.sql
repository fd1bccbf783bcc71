-- Passwords live apart from the customer, so that reading customers never reads a hash.

CREATE TABLE customer_password (
  customer_id BIGINT NOT NULL CONSTRAINT customer_password_pk PRIMARY KEY
              CONSTRAINT customer_password_customer REFERENCES customer (id) ON DELETE CASCADE,
  -- argon2id in the PHC string format: parameters, salt and hash in one.
  hash        NVARCHAR(400) COLLATE Latin1_General_BIN2 NOT NULL
              CONSTRAINT customer_password_argon2id CHECK (hash LIKE N'$argon2id$%'),
  updated_at  DATETIME2(3) NOT NULL CONSTRAINT customer_password_updated_at_default DEFAULT SYSUTCDATETIME()
);
GO
