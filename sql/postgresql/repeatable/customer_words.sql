-- What keeps `customer search` fast on a large table, whatever the statistics say by then.

-- A search reads each row that waits to be merged into the index: the default is up to 4 MB of them, which
-- takes longer than all else.
ALTER INDEX IF EXISTS customer_words SET (gin_pending_list_limit = 256);

-- To make the words of a row takes as long as to read dozens of pages. The planner must not take it for cheap, or it makes
-- those of all rows in order of the id.
ALTER FUNCTION custctl_words (text, text, text) COST 10000;

-- The index is on an expression, of which a table that is older than the index has no statistics: autovacuum waits until a
-- tenth of the rows has changed.
ANALYZE customer;
