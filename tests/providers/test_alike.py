"""What holds for every provider here: moto's Cognito, and the stand-ins for Cognito and Auth0."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from custctl.identity.accounts.asking import patiently
from custctl.identity.accounts.auth0 import Auth0
from custctl.identity.accounts.cognito import Cognito
from custctl.identity.accounts.provider import (
    Account,
    AccountMissingError,
    AccountTakenError,
    NewAccount,
    Provider,
    ProviderUnavailableError,
)
from custctl.support.errors import CustctlError, InvalidError
from tests.providers.conftest import TIMEOUT, Given, impatient
from tests.servers.auth0 import Auth0StandIn
from tests.servers.moto import Moto
from tests.servers.pools import PoolStandIn
from tests.servers.standins import Fault, Request, StandIn, broken, busy, cut, garbage, lost, nested, silent

ADA = NewAccount("0b7d9a52-70d0-4a0b-8a4c-2f9f3c1f2a11:42", "ada@example.com", "Ada", "")
BOB = NewAccount("0b7d9a52-70d0-4a0b-8a4c-2f9f3c1f2a11:43", "bob@example.com", "Bob", 'O"Brien\\', enabled=False)
PASSWORD = "correct horse battery staple 1 and Some Wood beside it!"


@dataclass
class Case:
    """A provider, and the stand-in behind it."""

    provider: Provider
    standin: Any


def _on_standin(request: pytest.FixtureRequest, name: str) -> Case:
    if name.startswith("Cognito"):
        pool = request.getfixturevalue("pool")
        return Case(request.getfixturevalue("cognito")(pool), pool)
    standin = request.getfixturevalue("auth0_standin")
    return Case(request.getfixturevalue("auth0")(standin), standin)


@pytest.fixture(params=["Cognito's stand-in", "Auth0's stand-in"])
def case(request: pytest.FixtureRequest) -> Case:
    """Each stand-in in turn, which can fail."""
    return _on_standin(request, request.param)


def _all(provider: Provider) -> list[Account]:
    return [account for page in provider.pages(impatient) for account in page]


def test_the_life_of_an_account_at_the_stand_ins(case: Case) -> None:
    _live(case.provider)
    _search(case.provider)


def test_the_life_of_an_account_at_moto(moto: Moto) -> None:
    # One test: each process that asks for moto starts one.
    for pool, unique in ((moto.pool(), True), (moto.pool(UsernameAttributes=[]), False)):
        provider = Cognito(pool, endpoint=moto.url, timeout=TIMEOUT, chain=Given("AKIDEXAMPLE", "not-a-secret"))
        _live(provider, emails_are_unique=unique)
        _search(provider)
        provider.close()


def _live(provider: Provider, *, emails_are_unique: bool = True) -> None:
    made = provider.create(ADA)
    assert (made.email, made.enabled, made.reference) == ("ada@example.com", True, ADA.reference)
    assert provider.find(made.subject) == made
    assert provider.find_by_email("ADA@example.com") == [made]
    assert list(provider.find_by_reference(ADA.reference)) in ([made], [])
    with pytest.raises(AccountTakenError):
        provider.create(ADA)

    other = provider.create(BOB)
    assert not other.enabled
    assert provider.find(other.subject) == other
    assert sorted(_all(provider), key=lambda account: account.email) == [made, other]

    provider.set_enabled(made.subject, False)
    provider.set_enabled(made.subject, False)
    assert provider.find(made.subject) == Account(made.subject, made.email, False, made.reference)
    provider.set_enabled(made.subject, True)
    if emails_are_unique:
        with pytest.raises(AccountTakenError):
            provider.set_email(made.subject, "bob@example.com")
    provider.set_email(made.subject, "countess@example.com")
    provider.set_email(made.subject, "countess@example.com")
    assert provider.find_by_email("ada@example.com") == []
    assert [account.subject for account in provider.find_by_email("countess@example.com")] == [made.subject]

    provider.send_reset(made.subject)
    provider.set_password(made.subject, PASSWORD)
    with pytest.raises(InvalidError) as refused:
        provider.set_password(made.subject, "short")
    assert "short" not in refused.value.message

    provider.delete(made.subject)
    provider.delete(made.subject)
    assert provider.find(made.subject) is None
    assert _all(provider) == [other]
    for missing in (
        lambda: provider.set_email(made.subject, "x@example.com"),
        lambda: provider.set_enabled(made.subject, True),
        lambda: provider.set_password(made.subject, PASSWORD),
        lambda: provider.send_reset(made.subject),
    ):
        with pytest.raises(AccountMissingError):
            missing()


def _search(provider: Provider) -> None:
    """What is searched for is no part of the query."""
    provider.create(ADA)
    for text in ('" or sub ^= "', "a\\", '"', "../users", "?x=y#z", "*", "auth0|*"):
        assert provider.find_by_email(f"{text}@example.com") == []
        assert provider.find(text) is None
        assert provider.find_by_reference(text) == []


def _is_creation(request: Request) -> bool:
    return "AdminCreateUser" in request.headers.get("x-amz-target", "") or (
        request.method == "POST" and request.path == "/api/v2/users"
    )


@pytest.mark.parametrize("fault", [busy, broken, garbage, nested, cut, lost])
def test_a_creation_whose_answer_is_lost_is_found_again(case: Case, fault: Fault) -> None:
    case.standin.fail(fault, _is_creation)
    with pytest.raises(ProviderUnavailableError) as unavailable:
        case.provider.create(ADA)
    assert unavailable.value.retry_after == (7 if fault is busy else None)
    # As the outbox does: look, then act.
    found = [*case.provider.find_by_reference(ADA.reference), *case.provider.find_by_email(ADA.email)]
    if fault is not lost:
        assert found == []
        found = [case.provider.create(ADA)]
    assert {account.reference for account in found} == {ADA.reference}
    assert len(_all(case.provider)) == 1


CALLS: dict[str, Callable[[Provider, str], object]] = {
    "find": lambda provider, subject: provider.find(subject),
    "find_by_email": lambda provider, subject: provider.find_by_email("ada@example.com"),
    "create": lambda provider, subject: provider.create(BOB),
    "set_email": lambda provider, subject: provider.set_email(subject, "new@example.com"),
    "set_enabled": lambda provider, subject: provider.set_enabled(subject, False),
    "set_password": lambda provider, subject: provider.set_password(subject, PASSWORD),
    "send_reset": lambda provider, subject: provider.send_reset(subject),
    "delete": lambda provider, subject: provider.delete(subject),
    "pages": lambda provider, subject: _all(provider),
}


@pytest.mark.parametrize("name", CALLS)
def test_each_call_fails_as_unavailable_at_whatever_request(case: Case, name: str) -> None:
    subject = case.provider.create(ADA).subject
    for fault in (busy, broken, garbage, cut):
        # At the first request of the call, at the second one, and so on, until none fails.
        for skipped in range(10):
            seen = 0

            def later(request: Request, skipped: int = skipped) -> bool:
                nonlocal seen
                seen += 1
                return seen > skipped

            case.standin.fail(fault, later)
            try:
                CALLS[name](case.provider, subject)
            except ProviderUnavailableError as error:
                assert PASSWORD not in error.message
            except CustctlError as error:
                # What an earlier round has done already.
                assert name in ("create", "delete"), error.message
            if case.standin.faults:
                case.standin.faults.clear()
                break
        else:
            pytest.fail("it never came to an end")


@pytest.mark.parametrize(("name", "answers"), [("pool", 0), ("auth0_standin", 0), ("auth0_standin", 1)])
def test_a_provider_that_never_answers_does_not_hold_the_program(
    request: pytest.FixtureRequest, name: str, answers: int
) -> None:
    # Auth0's first answer is a token; the next request asks for its connection.
    standin: StandIn = request.getfixturevalue(name)
    provider = request.getfixturevalue("cognito" if name == "pool" else "auth0")(standin, 0.5)
    standin.fail(silent, lambda _: len(standin.requests) > answers, times=5)
    for ask in (provider.abilities, lambda: provider.find("nobody"), lambda: _all(provider)):
        with pytest.raises(ProviderUnavailableError, match="does not answer in time"):
            ask()


def test_a_provider_that_always_asks_to_wait_does_not_hold_the_program() -> None:
    waited: list[float] = []

    def busy() -> None:
        raise ProviderUnavailableError("too often", retry_after=7.0)

    with pytest.raises(ProviderUnavailableError) as unavailable:
        patiently(busy, waited.append)
    assert 590 < sum(waited) <= 600
    assert unavailable.value.hint == "it still asks to wait after 595 s; run the command again later"


def test_every_interface_is_whole() -> None:
    def takes(provider: Provider) -> None: ...

    def check(cognito: Cognito, auth0: Auth0, standins: tuple[PoolStandIn, Auth0StandIn]) -> None:
        takes(cognito)
        takes(auth0)
