-- custctl: requires=fts5
-- custctl: phase=expand
-- custctl: allow=drop-table the index holds nothing of its own and is built again below
-- Substring search on customers: an index of trigrams without a copy of the text.
-- detail=none keeps it small; who searches checks the candidates against the row.

DROP TRIGGER IF EXISTS customer_search_insert;
DROP TRIGGER IF EXISTS customer_search_update;
DROP TRIGGER IF EXISTS customer_search_delete;
DROP TABLE IF EXISTS customer_search;

CREATE VIRTUAL TABLE customer_search USING fts5 (
  email, first_name, last_name, company, phone,
  content = 'customer', content_rowid = 'id', tokenize = 'trigram', detail = 'none', columnsize = 0
);

CREATE TRIGGER customer_search_insert AFTER INSERT ON customer
BEGIN
  INSERT INTO customer_search (rowid, email, first_name, last_name, company, phone)
  VALUES (new.id, new.email, new.first_name, new.last_name, new.company, new.phone);
END;

CREATE TRIGGER customer_search_update AFTER UPDATE OF email, first_name, last_name, company, phone ON customer
BEGIN
  INSERT INTO customer_search (customer_search, rowid, email, first_name, last_name, company, phone)
  VALUES ('delete', old.id, old.email, old.first_name, old.last_name, old.company, old.phone);
  INSERT INTO customer_search (rowid, email, first_name, last_name, company, phone)
  VALUES (new.id, new.email, new.first_name, new.last_name, new.company, new.phone);
END;

CREATE TRIGGER customer_search_delete AFTER DELETE ON customer
BEGIN
  INSERT INTO customer_search (customer_search, rowid, email, first_name, last_name, company, phone)
  VALUES ('delete', old.id, old.email, old.first_name, old.last_name, old.company, old.phone);
END;

INSERT INTO customer_search (customer_search) VALUES ('rebuild');
