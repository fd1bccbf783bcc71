-- How far an import has come, under a digest of its file and options, until it is done. The row commits with the
-- rows that it counts, so that an import that was interrupted goes on behind them.

CREATE TABLE customer_import (
  key        text COLLATE "C" CONSTRAINT customer_import_pk PRIMARY KEY,
  position   text COLLATE "C" NOT NULL,
  updated_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
);
