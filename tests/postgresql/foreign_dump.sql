--
-- PostgreSQL database dump
--

\restrict 5Zc1qE7pX0m3yT9bQ2vK8sR4wA6dJ1fG5hL7nU0iO3eC9xV

-- Dumped from database version 18.6
-- Dumped by pg_dump version 18.6

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: stock; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA stock;


--
-- Name: Über "uns"; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA "Über ""uns""";

--
-- Name: colour; Type: TYPE; Schema: stock; Owner: -
--

CREATE TYPE stock.colour AS ENUM (
    'red; green',
    'it''s blue'
);


--
-- Name: raise(bigint); Type: FUNCTION; Schema: stock; Owner: -
--

CREATE FUNCTION stock.raise(by bigint) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
BEGIN
  -- a comment; with a semicolon, and $body$ of another
  UPDATE stock.item SET price = price + $1;
  RETURN (SELECT count(*) FROM stock.item WHERE note <> 'E''s; end');
END;
$_$;


CREATE FUNCTION stock.touch() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN NEW.touched := true; RETURN NEW; END; $$;


CREATE FUNCTION stock.dearest() RETURNS numeric
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT max(CASE WHEN (v.price > (0)::numeric) THEN v.price ELSE (0)::numeric END) AS max
    FROM ( VALUES (1.5), (2.5)) v(price);
END;


SET default_tablespace = '';

SET default_table_access_method = heap;

CREATE TABLE stock.item (
    id bigint NOT NULL,
    price numeric(10,2) DEFAULT 0 NOT NULL,
    note text,
    colour stock.colour DEFAULT 'red; green'::stock.colour,
    tags text[],
    data bytea,
    touched boolean DEFAULT false
);


ALTER TABLE stock.item ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME stock.item_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


CREATE TABLE "Über ""uns"""."select" (
    "from" integer NOT NULL,
    "Zeit" timestamp with time zone DEFAULT '2026-01-01 00:00:00+00'::timestamp with time zone
);


CREATE VIEW stock.cheap AS
 SELECT id,
    note
   FROM stock.item
  WHERE (price < (10)::numeric);


COMMENT ON VIEW stock.cheap IS 'what costs little; -- and /* little */ else, it''s said';


--
-- Data for Name: item; Type: TABLE DATA; Schema: stock; Owner: -
--

COPY stock.item (id, price, note, colour, tags, data, touched) FROM stdin;
1	1.50	tab\there, newline\nthere, backslash\\ and \\. in it	red; green	{a,"b c"}	\\xdeadbeef	f
2	2.50	\N	it's blue	{}	\\x	t
3	3.50		\N	\N	\N	f
4	4.50	-- no comment; $$ nor $_$ a quote ' or " either	\N	{"\\"x\\""}	\N	f
5	5.50	CREATE TABLE oops (x int);	\N	\N	\N	f
6	6.50	stanisław.wójcik@wp.pl 😀 ‮	\N	\N	\N	f
\.


COPY "Über ""uns"""."select" ("from", "Zeit") FROM stdin;
\.


SELECT pg_catalog.setval('stock.item_id_seq', 6, true);


ALTER TABLE ONLY stock.item
    ADD CONSTRAINT item_pkey PRIMARY KEY (id);


CREATE INDEX item_note ON stock.item USING btree (note) WHERE (note IS NOT NULL);


CREATE TRIGGER touch BEFORE UPDATE ON stock.item FOR EACH ROW WHEN ((old.* IS DISTINCT FROM new.*)) EXECUTE FUNCTION stock.touch();


CREATE RULE protect AS
    ON DELETE TO "Über ""uns"""."select" DO INSTEAD ( SELECT 1; SELECT 2; );


--
-- PostgreSQL database dump complete
--

\unrestrict 5Zc1qE7pX0m3yT9bQ2vK8sR4wA6dJ1fG5hL7nU0iO3eC9xV
