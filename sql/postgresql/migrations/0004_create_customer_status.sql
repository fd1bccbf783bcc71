-- What each status means, for reports to join with; the reference seed fills it.

CREATE TABLE customer_status (
  status      text COLLATE "C" CONSTRAINT customer_status_pk PRIMARY KEY,
  description text COLLATE "C" NOT NULL,
  sort_order  integer NOT NULL
);
