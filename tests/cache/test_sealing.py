"""Sealed entries: what does not open with our key, at its own place, as it was sealed, is a miss."""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custctl.cache.entries import pack, unpack
from custctl.cache.sealing import AesSealer, new_key
from custctl.customers.model import FIELDS, Customer
from custctl.schema.own import to_text
from custctl.support import exact_json
from custctl.support.errors import CredentialError
from tests.cache.test_commands import with_cache
from tests.conftest import ADA, Project
from tests.servers.valkey import ValkeyServer

KEY, OTHER = new_key(), new_key()
PLACE = b"custctl:{x}:row:1"
ROW = Customer(
    **{
        **dict.fromkeys(("phone", "company", "address_line", "city", "region", "postal_code", "country")),
        "id": 1,
        "email": "ada@example.com",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "status": "active",
        "version": "e1-1",
        "created_at": "2026-01-02T03:04:05.678Z",
        "updated_at": "2026-01-02T03:04:05.678Z",
    }  # type: ignore[arg-type]
)


@given(st.text(), st.binary(max_size=60))
def test_what_is_sealed_opens_again(text: str, place: bytes) -> None:
    row = dataclasses.replace(ROW, first_name=text)
    # A lone surrogate never comes from a database.
    if text.encode(errors="replace").decode() != text:
        return
    for sealer in (None, AesSealer(KEY)):
        assert unpack(pack(row, place, sealer), place, sealer) == row


def test_a_text_that_is_json_is_still_json() -> None:
    row = dataclasses.replace(ROW, own={"extra": exact_json.Text("5"), "tier": "5"})
    opened = unpack(pack(row, PLACE, None), PLACE, None)
    assert opened is not None
    assert {name: to_text(value) for name, value in opened.own.items()} == {"extra": '"5"', "tier": "5"}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("form", 2),
        ("form", "3"),
        ("id", "1"),
        ("id", 1.0),
        ("id", True),
        ("id", None),
        ("email", None),
        ("email", 5),
        ("phone", 5),
        ("country", ["DE"]),
        ("status", None),
        ("version", "1"),
        ("version", "e0-1"),
        ("version", None),
        ("updated_at", None),
        ("own", []),
        ("own", None),
        ("texts", {}),
        ("texts", None),
    ],
)
def test_a_row_of_another_form_is_no_entry(place: str, value: object) -> None:
    held = dict(zip(("form", *FIELDS, "own", "texts"), json.loads(pack(ROW, PLACE, None)), strict=True))
    assert unpack(json.dumps([*held.values()]).encode(), PLACE, None) == ROW
    changed = [*(held | {place: value}).values()]
    for each in (changed, [*held.values()][:-1], [*held.values(), 1], held, None):
        assert unpack(json.dumps(each).encode(), PLACE, None) is None


def test_the_same_row_is_never_sealed_alike() -> None:
    sealer = AesSealer(KEY)
    assert len({pack(ROW, PLACE, sealer) for _ in range(100)}) == 100
    assert b"Ada" not in pack(ROW, PLACE, sealer)


@settings(max_examples=3 * settings().max_examples)
@given(st.data())
def test_any_change_of_a_byte_is_seen(data: st.DataObject) -> None:
    sealed = pack(ROW, PLACE, AesSealer(KEY))
    place = data.draw(st.integers(0, len(sealed) - 1))
    changed = sealed[:place] + bytes([sealed[place] ^ data.draw(st.integers(1, 255))]) + sealed[place + 1 :]
    assert unpack(changed, PLACE, AesSealer(KEY)) is None


@given(st.integers(0, 400))
def test_what_is_cut_or_lengthened_does_not_open(length: int) -> None:
    sealed = pack(ROW, PLACE, AesSealer(KEY))
    assert unpack(sealed[: min(length, len(sealed) - 1)], PLACE, AesSealer(KEY)) is None
    assert unpack(sealed + b"x" * (length + 1), PLACE, AesSealer(KEY)) is None


def test_another_key_and_another_place_do_not_open_it() -> None:
    sealed = pack(ROW, PLACE, AesSealer(KEY))
    assert unpack(sealed, PLACE, AesSealer(OTHER)) is None
    assert unpack(sealed, PLACE.replace(b"1", b"2"), AesSealer(KEY)) is None
    assert unpack(sealed, PLACE, None) is None
    assert unpack(pack(ROW, PLACE, None), PLACE, AesSealer(KEY)) is None


@given(st.binary(max_size=200))
def test_foreign_bytes_are_no_entry(data: bytes) -> None:
    assert unpack(data, PLACE, AesSealer(KEY)) is None
    assert unpack(data, PLACE, None) is None


def test_a_key_in_any_writing_of_base64_is_taken() -> None:
    assert AesSealer(f" {KEY}\n").open(AesSealer(KEY).seal(b"x", b""), b"") == b"x"


@pytest.mark.parametrize(
    "key",
    ["", "hunter2", "hunter2!" * 8, base64.b64encode(b"x" * 31).decode(), base64.b64encode(b"x" * 33).decode(), "ä"],
)
def test_what_is_no_key_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(CredentialError, match="32 bytes in Base64") as caught:
        AesSealer(key)
    assert "hunter2" not in f"{caught.value.message}{caught.value.hint}{caught.value.__cause__!r}"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


# -- in a real cache -------------------------------------------------------------------------------


@pytest.fixture
def sealed(migrated: Project, valkey: ValkeyServer) -> Project:
    """A project whose entries are sealed, with two customers."""
    valkey.call("FLUSHALL")
    with_cache(migrated, valkey.url, more=", encrypt: true")
    migrated.environ["CUSTCTL_CACHE_KEY"] = KEY
    migrated.ok("customer", "add", *ADA)
    migrated.ok("customer", "add", *(word.replace("ada@", "eve@") for word in ADA))
    return migrated


def source(project: Project, who: str = "1") -> str:
    shown = project.ok("customer", "get", who, "--with-source", "-o", "json").json
    assert shown["email"] == {"1": "ada@example.com", "2": "eve@example.com"}[who]
    return str(shown["source"])


def row_key(valkey: ValkeyServer, customer_id: int) -> bytes:
    [key] = valkey.call("KEYS", f"custctl:*:row:{customer_id}")
    assert isinstance(key, bytes)
    return key


def all_values(valkey: ValkeyServer) -> bytes:
    """Return all keys and all that they hold."""
    found: list[Any] = []
    for key in valkey.call("KEYS", "*"):
        kind = valkey.call("TYPE", key)
        found += [key, *(valkey.call("HGETALL", key) if kind == b"hash" else [valkey.call("GET", key)])]
    return b"\n".join(found)


def test_sealed_entries_serve_and_show_nothing(sealed: Project, valkey: ValkeyServer) -> None:
    assert source(sealed) == "cache"
    kept = all_values(valkey)
    assert b"row:1" in kept
    for word in (b"ada@", b"Ada", b"Lovelace", b"example", b"active"):
        assert word not in kept


def test_an_entry_that_was_tampered_with_is_a_miss(sealed: Project, valkey: ValkeyServer) -> None:
    key = row_key(valkey, 1)
    payload = valkey.call("HGET", key, "payload")
    valkey.call("HSET", key, "payload", payload[:-1] + bytes([payload[-1] ^ 1]))
    assert source(sealed) == "primary"
    assert source(sealed, "2") == "cache"


def test_an_entry_moved_to_another_customer_is_a_miss(sealed: Project, valkey: ValkeyServer) -> None:
    other = valkey.call("HGETALL", row_key(valkey, 2))
    valkey.call("HSET", row_key(valkey, 1), *other)
    assert source(sealed) == "primary"


def test_with_another_key_or_none_it_is_read_from_the_database(sealed: Project) -> None:
    sealed.environ["CUSTCTL_CACHE_KEY"] = OTHER
    assert source(sealed) == "primary"
    del sealed.environ["CUSTCTL_CACHE_KEY"]
    sealed.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    shown = sealed.ok("customer", "get", "1", "-v")
    assert "no key for the entries of the cache" in shown.err
    # And a write is done, and says so.
    written = sealed.ok("customer", "update", "1", "--phone", "2")
    assert "warning: " in written.err
    assert KEY not in shown.err + written.err


def test_entries_in_the_clear_are_a_miss_once_they_are_to_be_sealed_and_the_other_way_round(
    sealed: Project, valkey: ValkeyServer
) -> None:
    with_cache(sealed, valkey.url)
    assert source(sealed) == "primary"
    # And they are kept anew at once, not when their time is up.
    assert source(sealed) == "cache"
    assert b"Lovelace" in all_values(valkey)
    with_cache(sealed, valkey.url, more=", encrypt: true")
    assert source(sealed) == "primary"
    assert source(sealed) == "cache"
    assert source(sealed, "2") == "cache"
    assert b"Lovelace" not in all_values(valkey)
