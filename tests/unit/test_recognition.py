"""What a file is by its first bytes."""

from __future__ import annotations

import gzip
import io
import sqlite3
import zipfile
from pathlib import Path

import pytest

from custctl.customers.recognition import Encoding, recognise
from custctl.support.errors import InvalidError, UsageError

TEXT = "email,first_name,city\na@x.com,Jörg,Köln\nb@x.com,李,北京\nc@x.com,一一,一\n"


def found(data: bytes, chosen: str | None = None) -> Encoding:
    file = io.BytesIO(data)
    encoding = recognise(file, chosen)
    assert file.tell() == 0
    return encoding


CYRILLIC = "email;first_name;last_name\n" + "a@x.ru;Александра;Константинопольская\n" * 30


@pytest.mark.parametrize("name", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize(
    "text", [TEXT, "email\n", "sep=;\nemail;city\n", "邮箱,名,姓\nwang@x.cn,小明,王\n", "email,x\n😀😀,1\n", CYRILLIC]
)
@pytest.mark.parametrize("mark", [True, False])
def test_unicode_with_and_without_a_mark(name: str, text: str, mark: bool) -> None:
    data = ("\ufeff" * mark + text).encode(name)
    assert found(data) == Encoding(name, mark)
    family = name.removesuffix("-le").removesuffix("-be")
    assert found(data, family) == Encoding(name, mark)
    assert found(data, name) == Encoding(name, mark)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"a",
        b"\0",
        b"email\0,city\n",
        b"email,city\na@x.com,Ro\0me\n\0,\0\n",
        b"email\n" + b"a@x.com\n" * 600 + b"\0" * 9,
    ],
)
def test_a_few_zero_bytes_are_no_utf16(data: bytes) -> None:
    assert found(data) == Encoding("utf-8", mark=False)


def test_an_encoding_that_is_named_overrules() -> None:
    assert found(TEXT.encode(), "cp1252") == Encoding("cp1252", mark=False)
    assert found(b"email\n", "UTF_8_SIG") == Encoding("utf-8", mark=False)
    assert found(b"email\n", "utf-16") == Encoding("utf-16-le", mark=False)
    assert found(b"\xef\xbb\xbfemail\n", "latin-1") == Encoding("iso8859-1", mark=False)


@pytest.mark.parametrize("name", ["", "klingon", "base64", "rot13", "zlib", "idna", "punycode", "undefined", "a\0b"])
def test_an_encoding_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is not known"):
        recognise(io.BytesIO(b"email\n"), name)


def archive(*names: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for name in names:
            file.writestr(name, "application/vnd.oasis.opendocument.spreadsheet" if name == "mimetype" else "x")
    return data.getvalue()


DUMP = b"""--
-- PostgreSQL database dump
--

\\restrict x

-- Dumped from database version 18.0

SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);

CREATE SCHEMA app;
"""


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (gzip.compress(TEXT.encode()), "gzip"),
        (b"BZh91AY&SY", "bzip2"),
        (b"\xfd7zXZ\x00\x00\x04", "xz"),
        (b"\x28\xb5\x2f\xfd\x24\x10", "Zstandard"),
        (archive("[Content_Types].xml", "xl/workbook.xml"), "xlsx"),
        (archive("mimetype", "content.xml"), "ods"),
        (archive("customers.csv"), "ZIP"),
        (b"PAR1\x15\x04\x15", "Parquet"),
        (b"%PDF-1.7\n", "PDF"),
        (archive("[Content_Types].xml", "word/document.xml"), "Word"),
        (archive("Index/Document.iwa"), "Numbers"),
        (b"customers.csv".ljust(257, b"\0") + b"ustar\x0000", "tar"),
        (b"ORC\x0a\x06\x0a\x00\x00", "ORC"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", "xls"),
        (b"<!DOCTYPE html>\n<html>", "HTML"),
        (b"\xef\xbb\xbf\n <HTML xmlns:o=", "HTML"),
        (b"<table><tr><td>email</td>", "HTML"),
        ("<html>".encode("utf-16"), "HTML"),
        (b"<?xml version='1.0'?>\n<Workbook>", "XML"),
        (b"BEGIN:VCARD\nVERSION:3.0\n", "vCard"),
        (b"BEGIN:VCALENDAR\nVERSION:2.0\n", "iCalendar"),
        (b"dn: cn=A,dc=x\nmail: a@x.com\n", "LDIF"),
        (b"# extended LDIF\n#\n\nversion: 1\r\n\r\ndn:: Y249w4Q=\n", "LDIF"),
        (b"From: a@x.com\nTo: b@x.com\nSubject: x\n", "email message"),
        (b"From a@x.com Mon Jan  1 00:00:00 2024\nReceived: by x\n", "email message"),
        (b"insert into customer (email) values ('a@x.com');\n", "SQL script"),
        (b"-- MySQL dump  \n--\n\n/*!40101 SET NAMES utf8 */;\nDROP TABLE IF EXISTS `customer`;\n", "SQL script"),
        (b"--\n-- PostgreSQL database dump\n--\n\nSET statement_timeout = 0;\nCREATE TABLE x (", "SQL script"),
        (b"PGDMP\x01\x0e\x00", "dump of PostgreSQL"),
        (b"items:\n- id: 1\n  email: a@x.com\n", "YAML"),
        (b'[\n  {"email": "a@x.com"}\n]\n', "JSON array"),
        (b'[{"email": "a@x.com"}]', "JSON array"),
        (b" [ ]\n", "JSON array"),
        (b'["a@x.com"]', "JSON array"),
        ('[{"email": "a@x.com"}]'.encode("utf-16-le"), "JSON array"),
        (b'{"items": [\n  {"email": "a@x.com"}\n], "next": null}\n', "list of items"),
        (b'{\n  "email": "a@x.com"\n}\n', "JSON over several lines"),
        (b'[["email"], ["a@x.com"]]', "JSON array"),
        (b"Rar!\x1a\x07\x01\0", "RAR"),
        (archive("[Content_Types].xml", "ppt/presentation.xml"), "PowerPoint"),
        (b"<customers>\n <customer><email>a@x.com</email>", "HTML or XML"),
        (b"<!-- exported --><html>", "HTML or XML"),
        (b"-----BEGIN PGP MESSAGE-----\n\nhQEMA", "encrypted"),
        (b"Delivered-To: a@x.com\nReceived: by x\n", "email message"),
        (b"From - Mon Jan  1\nX-Mozilla-Status: 1\n", "email message"),
        (DUMP, "SQL script"),
        (
            b"USE [crm]\nGO\nSET ANSI_NULLS ON\nGO\nINSERT [dbo].[customer] ([email]) VALUES (N'a@x.com')\n",
            "SQL script",
        ),
        (b"PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE customer (email);\n", "SQL script"),
        (b"customers:\n  - email: a@x.com\n", "YAML"),
        (b'- "email": a@x.com\n', "YAML"),
        (b'{"object": "list", "has_more": false, "data": [{"email": "a@x.com"}]}', "list of items"),
        (b'{"totalSize":1,"done":true,"records":[{"email":"a@x.com"}]}', "list of items"),
        (b'{"schemas":["urn:x"],"totalResults":1,"Resources":[{"email":"a@x.com"}]}', "list of items"),
    ],
    ids=lambda value: value if isinstance(value, str) else "file",
)
def test_what_an_import_does_not_read_is_named_with_the_way_out(data: bytes, told: str) -> None:
    with pytest.raises(InvalidError, match=told) as caught:
        recognise(io.BytesIO(data))
    assert caught.value.hint


def test_an_sqlite_file_is_named(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "a.db")
    connection.execute("CREATE TABLE t (email)")
    connection.close()
    with (tmp_path / "a.db").open("rb") as file, pytest.raises(InvalidError, match="SQLite"):
        recognise(file)


@pytest.mark.parametrize("name", ["items", "data", "customers", "users"])
@pytest.mark.parametrize(
    "text", ['{"LIST":[{"email":"a@x.com"}]}', '{\n  "LIST": [\n    {"email": "a@x.com"}\n  ]\n}\n']
)
def test_the_way_out_of_a_document_names_its_list(name: str, text: str) -> None:
    with pytest.raises(InvalidError, match="list of items") as caught:
        recognise(io.BytesIO(text.replace("LIST", name).encode()))
    assert f"`jq -c '.{name}[]'`" in str(caught.value.hint)


@pytest.mark.parametrize(
    "text",
    [
        "ORCID,email\n", "PAR1,email\n", "BZh9,email\n", "items: count,email\n", "Obj,email\n", "ARROW1,email\n",
        '{"data": "x", "email": "a@x.com"}\n', '{"data": ["x"], "email": "a@x.com"}\n',
    ],
)  # fmt: skip
def test_a_text_that_begins_like_another_format_is_read(text: str) -> None:
    assert found(text.encode()) == Encoding("utf-8", mark=False)


def test_comments_that_lead_nowhere_take_no_time() -> None:
    assert found(b"-- x   \n" * 500 + b"email\n").name == "utf-8"
    assert found(b"#   x   \n" * 500 + b"email\n").name == "utf-8"


@pytest.mark.parametrize(
    "text",
    [
        *("From: x,email\n", "dn,email\n", "copy,email\n", "-- x,email\n", "To: ,From: \na,b\n", "set,email\na,b\n"),
        *("<br />\n<b>Notice</b>: x\nemail,city\n", "begin,email\nselect,b\n", "count: ,email\n"),
    ],
)
def test_a_header_like_the_beginning_of_a_message_or_script_is_read(text: str) -> None:
    assert found(text.encode()).name == "utf-8"


@pytest.mark.parametrize("text", ["[1]\n", '{"email": "a@x.com"}\n', "<email>,city\n", "- x,email\n", '"[",email\n'])
def test_what_only_looks_alike_is_read(text: str) -> None:
    assert found(text.encode()).name == "utf-8"
