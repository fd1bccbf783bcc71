-- What each status means, for reports to join with; the reference seed fills it.

CREATE TABLE customer_status (
  status      NVARCHAR(40) COLLATE Latin1_General_BIN2 NOT NULL CONSTRAINT customer_status_pk PRIMARY KEY,
  description NVARCHAR(200) COLLATE Latin1_General_BIN2 NOT NULL,
  sort_order  INT NOT NULL
);
GO
