-- custctl: requires=fts5
-- custctl: phase=expand
-- custctl: allow=drop-table the indexes hold nothing of their own and are built again below
-- What `customer search` finds customers by: an index of words, and one of trigrams for parts of a text. Both keep what they
-- index, so that an entry can be taken out again, whatever the row and the view say by then. They are built of the view's
-- second form.

DROP TRIGGER IF EXISTS customer_search_insert;
DROP TRIGGER IF EXISTS customer_search_update;
DROP TRIGGER IF EXISTS customer_search_delete;
DROP TABLE IF EXISTS customer_search;
DROP TABLE IF EXISTS customer_words;

-- The text is folded already: what is not ASCII is a letter.
CREATE VIRTUAL TABLE customer_words USING fts5 (
  texts, more, tokenize = 'ascii', prefix = '1 2 3', detail = 'none', columnsize = 0
);

-- It indexes what the other one keeps, in the table that FTS5 makes for it. detail=none keeps it small; who searches
-- checks the candidates against the text.
CREATE VIRTUAL TABLE customer_search USING fts5 (
  c0, content = 'customer_words_content', content_rowid = 'id', tokenize = 'trigram', detail = 'none', columnsize = 0
);

CREATE TRIGGER customer_search_insert AFTER INSERT ON customer
BEGIN
  INSERT INTO customer_words (rowid, texts, more) SELECT id, texts, more FROM custctl_searched WHERE id = new.id;
  INSERT INTO customer_search (rowid, c0) SELECT id, c0 FROM customer_words_content WHERE id = new.id;
END;

CREATE TRIGGER customer_search_update AFTER UPDATE OF email, first_name, last_name, company, city, phone ON customer
BEGIN
  INSERT INTO customer_search (customer_search, rowid, c0)
  SELECT 'delete', id, c0 FROM customer_words_content WHERE id = old.id;
  DELETE FROM customer_words WHERE rowid = old.id;
  INSERT INTO customer_words (rowid, texts, more) SELECT id, texts, more FROM custctl_searched WHERE id = new.id;
  INSERT INTO customer_search (rowid, c0) SELECT id, c0 FROM customer_words_content WHERE id = new.id;
END;

CREATE TRIGGER customer_search_delete AFTER DELETE ON customer
BEGIN
  INSERT INTO customer_search (customer_search, rowid, c0)
  SELECT 'delete', id, c0 FROM customer_words_content WHERE id = old.id;
  DELETE FROM customer_words WHERE rowid = old.id;
END;

INSERT INTO customer_words (rowid, texts, more) SELECT id, texts, more FROM custctl_searched;
INSERT INTO customer_search (customer_search) VALUES ('rebuild');
