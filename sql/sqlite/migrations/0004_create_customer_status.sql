-- What each status means, for reports to join with; the reference seed fills it.

CREATE TABLE customer_status (
  status      TEXT PRIMARY KEY,
  description TEXT NOT NULL,
  sort_order  INTEGER NOT NULL
) WITHOUT ROWID;
