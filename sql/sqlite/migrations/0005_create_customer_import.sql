-- How far an import has come, under a digest of its file and options, until it is done. The row commits with the
-- rows that it counts, so that an import that was interrupted goes on behind them.

CREATE TABLE customer_import (
  key        TEXT PRIMARY KEY,
  position   TEXT NOT NULL,
  updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) WITHOUT ROWID;
