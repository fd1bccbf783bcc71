"""`identity verify` while accounts come and go between two pages of the list, and while the provider asks to wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from custctl.identity.accounts import auth0, cognito
from tests.accounts.test_drift import add_customers, found
from tests.behaviours.support import Place
from tests.conftest import make_project
from tests.providers.test_migrate import use_auth0, use_cognito
from tests.servers.auth0 import Auth0StandIn
from tests.servers.pools import PoolStandIn, User
from tests.servers.projects import on_engine
from tests.servers.standins import Answer, Request, StandIn

SIZE = 4  # accounts a page


@dataclass
class Listed:
    """A project, and the provider that lists its accounts in small pages."""

    place: Place
    standin: Any
    accounts: Callable[[], dict[str, Any]]
    add: Callable[[str], object]

    def is_second_page(self, request: Request) -> bool:
        if isinstance(self.standin, PoolStandIn):
            return "PaginationToken" in request.json
        return ":[*" not in request.query.get("q", ":[*")

    def between_pages(self, act: Callable[[], object]) -> None:
        """Do something when the second page is asked for, and then answer."""

        def fault(standin: StandIn, request: Request) -> Answer:
            act()
            return standin.handle(request)

        self.standin.fail(fault, self.is_second_page)


@pytest.fixture(params=["cognito", "auth0"])
def listed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Listed:
    place = Place.of(on_engine(make_project(tmp_path_factory.mktemp("verify")), None))
    place.ok("migrate")
    if request.param == "cognito":
        monkeypatch.setattr(cognito, "PAGE", SIZE)
        pool: PoolStandIn = request.getfixturevalue("pool")
        use_cognito(place, pool)

        def first(email: str) -> None:
            # A pool promises no order: the new account moves all others to later pages.
            new = User(email, {"sub": f"sub-of-{email}", "email": email})
            pool.pool.users = {email: new, **pool.pool.users}

        return Listed(place, pool, lambda: pool.pool.users, first)
    monkeypatch.setattr(auth0, "PAGE", SIZE)
    standin: Auth0StandIn = request.getfixturevalue("auth0_standin")
    use_auth0(place, standin)
    return Listed(place, standin, lambda: standin.users, lambda email: standin._add({"email": email}))


def test_accounts_that_are_deleted_between_pages_hide_no_others(listed: Listed) -> None:
    add_customers(listed.place, 10)
    names = list(listed.accounts())
    del listed.accounts()[names[3]]

    def delete() -> None:
        for name in names[:2]:
            del listed.accounts()[name]

    listed.between_pages(delete)
    [drift] = found(listed.place)
    assert (drift["kind"], drift["customer_id"]) == ("missing", 4)
    assert listed.standin.faults == []


def test_accounts_that_are_created_between_pages_are_reported_once(listed: Listed) -> None:
    add_customers(listed.place, 10)
    listed.between_pages(lambda: listed.add("stranger@example.com"))
    drifts = found(listed.place)
    # Where it stands on the list, it may be behind the reader; nobody else is hidden or doubled.
    assert [each["kind"] for each in drifts] in ([], ["stray"])
    assert [each["kind"] for each in found(listed.place)] == ["stray"]


def test_customers_who_come_and_go_between_pages_are_no_drift(listed: Listed) -> None:
    place = listed.place
    add_customers(place, 10)

    def change() -> None:
        place.add(email="new@example.com")
        place.ok("customer", "update", "c9@example.com", "--email", "other@example.com", "--status", "suspended")
        place.ok("customer", "delete", "c0@example.com", "--yes")

    listed.between_pages(change)
    assert found(place) == []
    assert listed.standin.faults == []


def test_the_list_waits_as_the_provider_asks(listed: Listed) -> None:
    add_customers(listed.place, 10)

    def busy(standin: StandIn, request: Request) -> Answer:
        return Answer(429, {"message": "Too Many Requests"}, {"Retry-After": "0"})

    listed.standin.fail(busy, listed.is_second_page, times=3)
    result = listed.place.run("identity", "verify")
    assert (result.code, listed.standin.faults) == (0, [])
    assert "compared 10 customers with 10 accounts" in result.err
    assert result.err.count("asks to wait") == 3

    listed.standin.fail(lambda *_: Answer(429, {}, {"Retry-After": "3600"}), listed.is_second_page)
    assert listed.place.run("identity", "verify").code == 3
