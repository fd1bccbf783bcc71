-- Customers. The version is kept by the database: whatever a client writes, an update leaves exactly
-- the old version plus one, so that `WHERE id = ? AND version = ?` is a true precondition.

-- What two texts are compared by where case does not matter. `lower()` alone would leave every letter
-- but A to Z as it is in a database whose locale is C: the best collation that this server has is named.
-- İ is a letter of its own: some collations make an i of it, others two characters. Meanwhile a character
-- stands for it that is in no text.
DO $$
DECLARE
  collation_name text;
BEGIN
  SELECT c.collname INTO collation_name
    FROM pg_catalog.pg_collation AS c
   WHERE c.collnamespace = 'pg_catalog'::regnamespace
     AND c.collname IN ('pg_c_utf8', 'und-x-icu')
     AND c.collencoding IN (-1, (SELECT d.encoding FROM pg_catalog.pg_database AS d WHERE d.datname = current_database()))
   ORDER BY c.collname = 'pg_c_utf8' DESC
   LIMIT 1;
  EXECUTE format(
    'CREATE FUNCTION custctl_fold (value text) RETURNS text
     LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
     RETURN replace(replace(lower(replace(value, %1$L, chr(1)) COLLATE pg_catalog.%2$I), chr(1), %1$L), %3$L, %4$L)
       COLLATE pg_catalog."C"',
    'İ', coalesce(collation_name, 'default'), 'ς', 'σ');
END
$$;

-- Text compares by code point: the order of lists is the same whatever the database's locale is.
CREATE TABLE customer (
  id           bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT customer_pk PRIMARY KEY,
  -- Lower case is demanded, so that the plain unique index below ignores case.
  email        text COLLATE "C" NOT NULL
               CONSTRAINT customer_email_lower_case CHECK (email = lower(email))
               CONSTRAINT customer_email_length CHECK (char_length(email) BETWEEN 3 AND 254),
  first_name   text COLLATE "C" NOT NULL
               CONSTRAINT customer_first_name_length CHECK (char_length(first_name) BETWEEN 1 AND 100),
  last_name    text COLLATE "C" NOT NULL
               CONSTRAINT customer_last_name_length CHECK (char_length(last_name) BETWEEN 1 AND 100),
  phone        text COLLATE "C"
               CONSTRAINT customer_phone_length CHECK (char_length(phone) BETWEEN 1 AND 40),
  company      text COLLATE "C"
               CONSTRAINT customer_company_length CHECK (char_length(company) BETWEEN 1 AND 200),
  address_line text COLLATE "C"
               CONSTRAINT customer_address_line_length CHECK (char_length(address_line) BETWEEN 1 AND 200),
  city         text COLLATE "C"
               CONSTRAINT customer_city_length CHECK (char_length(city) BETWEEN 1 AND 100),
  region       text COLLATE "C"
               CONSTRAINT customer_region_length CHECK (char_length(region) BETWEEN 1 AND 100),
  postal_code  text COLLATE "C"
               CONSTRAINT customer_postal_code_length CHECK (char_length(postal_code) BETWEEN 1 AND 20),
  country      text COLLATE "C"
               CONSTRAINT customer_country_length CHECK (char_length(country) BETWEEN 1 AND 100),
  status       text COLLATE "C" NOT NULL DEFAULT 'active'
               CONSTRAINT customer_status_known CHECK (status IN ('active', 'suspended', 'closed')),
  version      bigint NOT NULL DEFAULT 1,
  -- To the millisecond, as clients are shown them.
  created_at   timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  updated_at   timestamptz(3) NOT NULL DEFAULT clock_timestamp()
);

CREATE FUNCTION customer_raise_version () RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.id <> OLD.id THEN
    RAISE EXCEPTION 'the id of a customer never changes' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  NEW.version := OLD.version + 1;
  NEW.updated_at := clock_timestamp();
  RETURN NEW;
END
$$;

-- The name sorts last: what other triggers change is counted too, and none of them can turn the version back.
CREATE TRIGGER zz_customer_version BEFORE UPDATE ON customer
FOR EACH ROW EXECUTE FUNCTION customer_raise_version();

-- Not for replicas alone: a session that plays back for another one must not turn the version back either.
ALTER TABLE customer ENABLE ALWAYS TRIGGER zz_customer_version;

CREATE UNIQUE INDEX customer_email_unique ON customer (email);

-- What `customer list` sorts and filters by; every index ends with the id, which breaks ties.
CREATE INDEX customer_by_last_name ON customer (last_name, id);
CREATE INDEX customer_by_country ON customer (country, id);
CREATE INDEX customer_by_status ON customer (status, id);
CREATE INDEX customer_by_created_at ON customer (created_at, id);
CREATE INDEX customer_by_updated_at ON customer (updated_at, id);

-- What `customer search` looks up by prefix, ignoring case. An email is lower case already.
CREATE INDEX customer_first_name_prefix ON customer (custctl_fold(first_name), id);
CREATE INDEX customer_last_name_prefix ON customer (custctl_fold(last_name), id);
CREATE INDEX customer_company_prefix ON customer (custctl_fold(company), id);
CREATE INDEX customer_phone_prefix ON customer (custctl_fold(phone), id);
