-- The letters that `customer search` takes for others, which `repeatable/custctl_searched.sql` fills in: without case and
-- accents, as they are typed on a plain keyboard, punctuation beyond ASCII as blanks.
CREATE TABLE custctl_letter (
  letter TEXT PRIMARY KEY,
  folded TEXT NOT NULL
) WITHOUT ROWID;
