-- Customers. The version is kept by the database: whatever a client writes, an update leaves exactly
-- the old version plus one, so that `WHERE id = ? AND version = ?` is a true precondition.

CREATE TABLE customer (
  -- AUTOINCREMENT: the id of a deleted customer is never given out again.
  id           INTEGER PRIMARY KEY AUTOINCREMENT CONSTRAINT customer_id_positive CHECK (id > 0),
  -- Lower case is demanded, so that the plain unique index below ignores case.
  email        TEXT NOT NULL
               CONSTRAINT customer_email_lower_case CHECK (email = lower(email))
               CONSTRAINT customer_email_length CHECK (typeof(email) = 'text' AND length(email) BETWEEN 3 AND 254),
  first_name   TEXT NOT NULL CONSTRAINT customer_first_name_length
               CHECK (typeof(first_name) = 'text' AND length(first_name) BETWEEN 1 AND 100),
  last_name    TEXT NOT NULL CONSTRAINT customer_last_name_length
               CHECK (typeof(last_name) = 'text' AND length(last_name) BETWEEN 1 AND 100),
  phone        TEXT CONSTRAINT customer_phone_length
               CHECK (typeof(phone) <> 'blob' AND length(phone) BETWEEN 1 AND 40),
  company      TEXT CONSTRAINT customer_company_length
               CHECK (typeof(company) <> 'blob' AND length(company) BETWEEN 1 AND 200),
  address_line TEXT CONSTRAINT customer_address_line_length
               CHECK (typeof(address_line) <> 'blob' AND length(address_line) BETWEEN 1 AND 200),
  city         TEXT CONSTRAINT customer_city_length
               CHECK (typeof(city) <> 'blob' AND length(city) BETWEEN 1 AND 100),
  region       TEXT CONSTRAINT customer_region_length
               CHECK (typeof(region) <> 'blob' AND length(region) BETWEEN 1 AND 100),
  postal_code  TEXT CONSTRAINT customer_postal_code_length
               CHECK (typeof(postal_code) <> 'blob' AND length(postal_code) BETWEEN 1 AND 20),
  country      TEXT CONSTRAINT customer_country_length
               CHECK (typeof(country) <> 'blob' AND length(country) BETWEEN 1 AND 100),
  status       TEXT NOT NULL DEFAULT 'active'
               CONSTRAINT customer_status_known CHECK (status IN ('active', 'suspended', 'closed')),
  version      INTEGER NOT NULL DEFAULT 1,
  created_at   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);

-- The condition holds for every update but the trigger's own: a client that has switched recursive
-- triggers on goes no further. Should it set the version itself, too, its update fails.
CREATE TRIGGER customer_version AFTER UPDATE ON customer
WHEN new.version IS NOT old.version + 1
BEGIN
  UPDATE customer
     SET version = old.version + 1,
         updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
   WHERE id = new.id;
END;

-- INSERT OR REPLACE with an id that was given out once would start its version anew.
-- In a BEFORE trigger an id that is still to be generated reads as -1.
CREATE TRIGGER customer_id_once BEFORE INSERT ON customer
WHEN new.id <> -1 AND new.id <= (SELECT seq FROM sqlite_sequence WHERE name = 'customer')
BEGIN
  SELECT raise(ABORT, 'the id of a customer is never used again: use UPDATE');
END;

CREATE TRIGGER customer_id_fixed BEFORE UPDATE OF id ON customer
WHEN new.id IS NOT old.id
BEGIN
  SELECT raise(ABORT, 'the id of a customer never changes');
END;

CREATE UNIQUE INDEX customer_email_unique ON customer (email);

-- What `customer list` sorts and filters by; every index ends with the id, which breaks ties.
CREATE INDEX customer_by_last_name ON customer (last_name);
CREATE INDEX customer_by_country ON customer (country);
CREATE INDEX customer_by_status ON customer (status);
CREATE INDEX customer_by_created_at ON customer (created_at);
CREATE INDEX customer_by_updated_at ON customer (updated_at);

-- What `customer search` looks up by prefix, ignoring case. An email is lower case already.
CREATE INDEX customer_first_name_prefix ON customer (first_name COLLATE NOCASE);
CREATE INDEX customer_last_name_prefix ON customer (last_name COLLATE NOCASE);
CREATE INDEX customer_company_prefix ON customer (company COLLATE NOCASE);
CREATE INDEX customer_phone_prefix ON customer (phone COLLATE NOCASE);
