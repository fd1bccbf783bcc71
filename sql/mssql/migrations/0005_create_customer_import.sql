-- How far an import has come, under a digest of its file and options, until it is done. The row commits with the
-- rows that it counts, so that an import that was interrupted goes on behind them.

CREATE TABLE customer_import (
  [key]      NVARCHAR(80) COLLATE Latin1_General_BIN2 NOT NULL CONSTRAINT customer_import_pk PRIMARY KEY,
  position   NVARCHAR(MAX) COLLATE Latin1_General_BIN2 NOT NULL,
  updated_at DATETIME2(3) NOT NULL CONSTRAINT customer_import_updated_at_default DEFAULT SYSUTCDATETIME()
);
GO

-- The rows of a batch, while its transaction is open: none outlives it.
CREATE TABLE customer_import_row (
  batch        NVARCHAR(36) COLLATE Latin1_General_BIN2 NOT NULL,
  position     INT NOT NULL,
  email        NVARCHAR(508) COLLATE Latin1_General_BIN2 NULL,
  first_name   NVARCHAR(200) COLLATE Latin1_General_BIN2 NULL,
  last_name    NVARCHAR(200) COLLATE Latin1_General_BIN2 NULL,
  phone        NVARCHAR(80) COLLATE Latin1_General_BIN2 NULL,
  company      NVARCHAR(400) COLLATE Latin1_General_BIN2 NULL,
  address_line NVARCHAR(400) COLLATE Latin1_General_BIN2 NULL,
  city         NVARCHAR(200) COLLATE Latin1_General_BIN2 NULL,
  region       NVARCHAR(200) COLLATE Latin1_General_BIN2 NULL,
  postal_code  NVARCHAR(40) COLLATE Latin1_General_BIN2 NULL,
  country      NVARCHAR(200) COLLATE Latin1_General_BIN2 NULL,
  status       NVARCHAR(40) COLLATE Latin1_General_BIN2 NULL,
  CONSTRAINT customer_import_row_pk PRIMARY KEY (batch, position)
);
GO
