"""Rules for passwords and their hashes; nothing secret in any error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custctl.customers import passwords
from custctl.customers.passwords import check_password_rules, hash_password, needs_rehash, prepare, verify
from custctl.support.errors import CustctlError, ExitCode, InvalidError

ADA = ("ada.lovelace@example.com", "Ada", "Lovelace", None, "Analytical Engines Ltd.")
GOOD = "copper lantern drifting"


@pytest.mark.parametrize(
    "password", [GOOD, "12 Gauge§pine", "пароль на каждый день", "x9!kQ2#v", "lovelace likes bees", "q7 " * 85]
)
def test_a_good_password(password: str) -> None:
    check_password_rules(password, ADA)


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("", "fewer than 8"),
        ("x9!kQ2#", "fewer than 8"),
        ("e\u0301" * 4 + "abc", "fewer than 8"),
        ("ab c9!" * 43, "more than 256"),
        ("password", "most common"),
        ("PassWord1", "most common"),
        ("trustno1", "most common"),
        ("Ada.Lovelace@example.com", "customer's name"),
        ("ada.lovelace", "customer's name"),
        ("Lovelace", "customer's name"),
        ("lovelace ADA", "customer's name"),
        ("analytical engines LTD", "customer's name"),
        ("pass\x00word", "control character"),
        ("pass\nword phrase", "control character"),
        ("pass\udc80word", "invalid text"),
    ],
)
def test_a_bad_password_is_refused_and_not_shown(password: str, reason: str) -> None:
    with pytest.raises(InvalidError, match=reason) as caught:
        check_password_rules(password, ADA)
    error = caught.value
    assert error.exit_code == ExitCode.INVALID
    assert "password" in error.details["fields"]
    told = f"{error.message} {error.hint} {error.details}"
    # `password` itself is a word of the message.
    assert password in ("", "password") or password not in told


def test_every_broken_rule_is_named() -> None:
    with pytest.raises(InvalidError, match=r"fewer than 8 characters and is one of the most common passwords"):
        check_password_rules("dragon")


def test_a_hash_is_argon2id_with_the_parameters_of_rfc_9106() -> None:
    stored = hash_password(GOOD)
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert GOOD not in stored
    assert stored != hash_password(GOOD)
    assert verify(stored, GOOD)
    assert not verify(stored, GOOD.title())
    assert not verify(stored, "\udc80")
    assert not needs_rehash(stored)


def test_other_parameters_verify_and_ask_for_a_new_hash() -> None:
    from argon2 import PasswordHasher
    from argon2.profiles import CHEAPEST

    stored = PasswordHasher.from_parameters(CHEAPEST).hash(GOOD)
    assert verify(stored, GOOD)
    assert needs_rehash(stored)


def test_one_password_however_it_was_typed() -> None:
    stored = hash_password("Ga\u0308nsefu\u0308ßchen im\u00a0Gras ")
    assert verify(stored, "G\u00e4nsef\u00fcßchen im Gras ")
    assert not verify(stored, "G\u00e4nsef\u00fcßchen im Gras")


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "plain",
        "$2b$12$abcdefghijklmnopqrstuv",
        "$argon2id$",
        "$argon2id$v=19$m=65536,t=3,p=4$x",
        "$argon2id$v=19$m=a,t=3,p=4$AAAAAAAAAAAAAAAAAAAAAA$AAAA",
        "é",
        "\x00",
    ],
)
def test_a_hash_that_cannot_be_read_is_a_clean_failure(stored: str) -> None:
    with pytest.raises(CustctlError, match="the stored password hash cannot be read") as caught:
        verify(stored, GOOD)
    assert not stored or stored not in str(caught.value)
    with pytest.raises(CustctlError, match="the stored password hash cannot be read"):
        needs_rehash(stored)


def test_a_password_that_is_no_text_leaves_no_trace() -> None:
    with pytest.raises(InvalidError) as caught:
        hash_password("pärlhöns\udc80kvitter")
    assert "kvitter" not in repr(caught.value)
    assert caught.value.__context__ is None


@given(st.text(st.characters()))
def test_preparing_twice_changes_nothing(password: str) -> None:
    assert prepare(prepare(password)) == prepare(password)


def test_a_customer_without_a_password_costs_as_much_as_one_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The work is counted, not its time: one hash of the same parameters either way."""
    counted: list[str] = []
    hasher = passwords._hasher()

    class CountingStandIn:
        def hash(self, password: bytes) -> str:
            counted.append("hash")
            return hasher.hash(password)

        def verify(self, stored: str, password: bytes) -> bool:
            counted.append("verify")
            return hasher.verify(stored, password)

        def check_needs_rehash(self, stored: str) -> bool:
            return hasher.check_needs_rehash(stored)

    stored = passwords.hash_password("correct horse battery staple")
    monkeypatch.setattr(passwords, "_hasher", CountingStandIn)
    with pytest.raises(InvalidError):
        passwords.verify_customer(stored, "another password")
    assert counted == ["verify"]
    counted.clear()
    with pytest.raises(InvalidError):
        passwords.verify_customer(None, "another password")
    assert counted == ["hash"]
