-- Who wrote, by the operating system's word: a file has no logins, and custctl writes the user that its process runs
-- as; `actor` is what the client claims. Older rows have none. The chain covers it: `row_hash` is over `database_login`
-- too, as the last value, in each row whose client knows the column.

ALTER TABLE customer_audit ADD COLUMN database_login TEXT;
