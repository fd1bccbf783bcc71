-- custctl: transaction=off
-- What `customer search` looks in: the words of a customer, and the digits of the phone. The index is on an expression, so
-- that it keeps what any client writes. It needs no extension, and is built while other clients use the table.

-- A text as search compares it: without case and accents, letters as they are typed on a plain keyboard, punctuation
-- beyond ASCII as blanks. Unicode takes most letters apart; the others are named here.
CREATE OR REPLACE FUNCTION custctl_typed (bare text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
RETURN CASE WHEN bare COLLATE "C" ~ '[ðøłđħŧıĸŋŉŀſßæœþĳǆǉǌǳﬀﬁﬂ\u00a0-\u00a9\u00ab-\u00ac\u00ae-\u00b1\u00b4\u00b6-\u00b8\u00bb\u00bf\u00d7\u00f7\u02bc\u0590-\U0010ffff]' THEN translate(
      replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(translate(normalize(regexp_replace(bare, '[\u00a0-\u00a9\u00ab-\u00ac\u00ae-\u00b1\u00b4\u00b6-\u00b8\u00bb\u00bf\u00d7\u00f7\u02bc\u2010-\u2027\u202f-\u205f\u3000-\u3003\u3008-\u3011\u3014-\u301f\u30fb]', ' ', 'g'), NFC), 'ðøłđħŧıĸŋŉŀſ', 'doldhtiknnls'), 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th')
      , 'ĳ', 'ij'), 'ǆ', 'dz'), 'ǉ', 'lj'), 'ǌ', 'nj')
      , 'ǳ', 'dz'), 'ﬀ', 'ff'), 'ﬁ', 'fi'), 'ﬂ', 'fl')
      ,
      '！＂＃＄％＆＇（）＊＋，－．／０１２３４５６７８９：；＜＝＞？＠ＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺ［＼］＾＿｀ａｂｃｄｅｆｇｈｉｊｋｌｍｎｏｐｑｒｓｔｕｖｗｘｙｚ｛｜｝～',
      '!"#$%&''()*+,-./0123456789:;<=>?@abcdefghijklmnopqrstuvwxyz[\]^_`abcdefghijklmnopqrstuvwxyz{|}~')
    ELSE bare END;

CREATE OR REPLACE FUNCTION custctl_plain (value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
RETURN CASE WHEN octet_length(value) = char_length(value) THEN lower(value COLLATE "C") ELSE
  lower(custctl_typed(regexp_replace(
    normalize(custctl_fold(value), NFD), '[\u00ad\u0300-\u036f\u200b-\u200f]+', '', 'g')) COLLATE "C") END;

-- The digits of a phone, without the zeros that begin a call; nothing of what holds other characters.
CREATE OR REPLACE FUNCTION custctl_digits (phone text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT COST 100
RETURN coalesce(substring(right(ltrim(
  translate(replace(phone, '(0)', ''), U&' ()+-./,:;_*#\00A0\202F\2010\2011\2013', ''), '0'), 20) FROM '^[0-9]+$'), '');

-- The words of a text, each as a lexeme of its own. A name with an apostrophe or a hyphen is there in one word, too, and one
-- with an umlaut as people write it who have no key for it. A phone is there from each of its first four digits on, so
-- that the country's may be left out, and backwards behind a sign, so that its last digits find it.
CREATE OR REPLACE FUNCTION custctl_words (value text, names text, digits text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT COST 1000
RETURN array_to_tsvector(array_remove(regexp_split_to_array(
  custctl_plain(value || ' ' || names)
  || CASE WHEN names COLLATE "C" ~ '[''’ʼ`´‐‑-]' THEN ' ' || custctl_plain(translate(names, '''’ʼ`´-‐‑', '')) ELSE '' END
  || CASE WHEN names COLLATE "C" ~ '[äöüåøÄÖÜÅØ]' THEN ' ' || custctl_plain(
       replace(replace(replace(replace(replace(custctl_fold(names), 'ä', 'ae'), 'ö', 'oe'), 'ü', 'ue'), 'å', 'aa'), 'ø', 'oe'))
     ELSE '' END
  || CASE WHEN digits <> '' THEN ' ' || digits || ' ' || substr(digits, 2) || ' ' || substr(digits, 3) || ' ' || substr(digits, 4)
       || ' ℡' || reverse(digits) ELSE '' END,
  '[\x01-\x2f\x3a-\x60\x7b-\x7f]+'), ''));

CREATE INDEX CONCURRENTLY IF NOT EXISTS customer_words ON customer USING gin (
  custctl_words(email || ' ' || coalesce(phone, ''),
    first_name || ' ' || last_name || ' ' || coalesce(company, '') || ' ' || coalesce(city, ''),
    coalesce(custctl_digits(phone), '')));
