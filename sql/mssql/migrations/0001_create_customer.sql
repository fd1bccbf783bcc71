-- Customers. The version is the server's own `rowversion`: whatever a client writes, an update gives the row
-- a new one, so that `WHERE id = ? AND version = ?` is a true precondition.
--
-- Text compares by code point, whatever the database's collation is. A length is in UTF-16 units, of which a
-- character outside the basic plane takes two: the columns are twice as long as the longest text.
-- There is no trigger on this table: beside one, no statement may return the rows that it wrote.

CREATE TABLE customer (
  id           BIGINT IDENTITY (1, 1) NOT NULL CONSTRAINT customer_pk PRIMARY KEY,
  -- Lower case is demanded, so that the plain unique index below ignores case.
  email        NVARCHAR(508) COLLATE Latin1_General_BIN2 NOT NULL
               CONSTRAINT customer_email_lower_case CHECK (email = LOWER(email)),
  first_name   NVARCHAR(200) COLLATE Latin1_General_BIN2 NOT NULL,
  last_name    NVARCHAR(200) COLLATE Latin1_General_BIN2 NOT NULL,
  phone        NVARCHAR(80) COLLATE Latin1_General_BIN2 NULL,
  company      NVARCHAR(400) COLLATE Latin1_General_BIN2 NULL,
  address_line NVARCHAR(400) COLLATE Latin1_General_BIN2 NULL,
  city         NVARCHAR(200) COLLATE Latin1_General_BIN2 NULL,
  region       NVARCHAR(200) COLLATE Latin1_General_BIN2 NULL,
  postal_code  NVARCHAR(40) COLLATE Latin1_General_BIN2 NULL,
  country      NVARCHAR(200) COLLATE Latin1_General_BIN2 NULL,
  status       NVARCHAR(40) COLLATE Latin1_General_BIN2 NOT NULL
               CONSTRAINT customer_status_default DEFAULT N'active'
               CONSTRAINT customer_status_known CHECK (status IN (N'active', N'suspended', N'closed')),
  version      ROWVERSION NOT NULL,
  -- In UTC, to the millisecond, as clients are shown them.
  created_at   DATETIME2(3) NOT NULL CONSTRAINT customer_created_at_default DEFAULT SYSUTCDATETIME(),
  updated_at   DATETIME2(3) NOT NULL CONSTRAINT customer_updated_at_default DEFAULT SYSUTCDATETIME(),
  CONSTRAINT customer_email_length CHECK (LEN(email) BETWEEN 3 AND 508),
  CONSTRAINT customer_first_name_length CHECK (LEN(first_name) >= 1),
  CONSTRAINT customer_last_name_length CHECK (LEN(last_name) >= 1),
  CONSTRAINT customer_phone_length CHECK (LEN(phone) >= 1),
  CONSTRAINT customer_company_length CHECK (LEN(company) >= 1),
  CONSTRAINT customer_address_line_length CHECK (LEN(address_line) >= 1),
  CONSTRAINT customer_city_length CHECK (LEN(city) >= 1),
  CONSTRAINT customer_region_length CHECK (LEN(region) >= 1),
  CONSTRAINT customer_postal_code_length CHECK (LEN(postal_code) >= 1),
  CONSTRAINT customer_country_length CHECK (LEN(country) >= 1)
);
GO

CREATE UNIQUE INDEX customer_email_unique ON customer (email);

-- What `customer list` sorts and filters by, and `customer search` looks in.
CREATE INDEX customer_by_last_name ON customer (last_name, id);
CREATE INDEX customer_by_first_name ON customer (first_name, id);
CREATE INDEX customer_by_company ON customer (company, id);
CREATE INDEX customer_by_phone ON customer (phone, id);
CREATE INDEX customer_by_country ON customer (country, id);
CREATE INDEX customer_by_status ON customer (status, id);
CREATE INDEX customer_by_created_at ON customer (created_at, id);
CREATE INDEX customer_by_updated_at ON customer (updated_at, id);
GO
