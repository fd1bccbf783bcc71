"""A provider whose answers are each in time, and have no end, does not hold a command."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from custctl.identity.accounts.provider import ProviderRefusedError
from custctl.identity.accounts.scim import Scim
from custctl.support.errors import UnavailableError
from custctl.support.web import Web, starting_within
from tests.accounts.conftest import give_provider
from tests.accounts.peer import Answer, Asked, peer, whole
from tests.accounts.scim import Directory, Front
from tests.behaviours.support import Place

HUGE = 10**9
PATIENCE = 60.0
"""Seconds in which a busy machine does what takes about three."""

# Not quite without end, so that a command that does not give up fails a test in minutes.
_new = iter(range(10**6))


def users(numbers: Iterator[int] | range, total: int) -> Answer:
    found = [{"id": f"n{number}", "userName": f"n{number}@example.com"} for number in numbers]
    return whole("200 OK", json.dumps({"totalResults": total, "Resources": found}).encode())


def start_of(asked: Asked) -> int:
    return int(parse_qs(urlsplit(asked.target).query)["startIndex"][0])


def new_ones(asked: Asked) -> Answer:
    """Always accounts that were not there before, of very many."""
    return users(itertools.islice(_new, 100), HUGE)


def test_no_request_starts_after_the_time_of_all() -> None:
    with peer(whole("200 OK", b"{}")) as other:
        web = Web(other.url, timeout=PATIENCE)
        with starting_within(0.3):
            assert web.send("GET", "/").status_code == 200
            time.sleep(0.3)
            with pytest.raises(UnavailableError, match=r"`127\.0\.0\.1` does not answer all requests in time"):
                web.send("GET", "/")
            with starting_within(None):
                assert web.send("GET", "/").status_code == 200
        assert web.send("GET", "/").status_code == 200
    assert len(other.asked) == 3


@pytest.mark.parametrize(
    "page",
    [
        lambda asked: users(range(100), HUGE),
        # In a circle of three pages, after two others.
        lambda asked: users(range(n := min(start_of(asked), 200 + start_of(asked) % 300), n + 100), HUGE),
        lambda asked: users(itertools.islice(_new, 100), start_of(asked) + 1000),
    ],
    ids=["the same page", "a circle", "a total that grows"],
)
def test_a_list_without_progress_is_given_up(page: Callable[[Asked], Answer]) -> None:
    def answer(asked: Asked) -> Answer:
        return page(asked)

    with peer(answer) as other:
        provider = Scim(other.url, "t", PATIENCE)
        with pytest.raises(ProviderRefusedError, match="does not paginate its list"):
            list(provider.pages(time.sleep))
        provider.close()
    assert len(other.asked) < 40


@pytest.mark.parametrize(
    "command",
    [
        ("customer", "add", "--email", "b@example.com", "--first-name", "B", "--last-name", "K"),
        ("customer", "update", "a@example.com", "--status", "suspended"),
    ],
    ids=["add", "update"],
)
def test_a_command_about_one_customer_ends(
    local: Place, facade: Front, directory: Directory, command: tuple[str, ...]
) -> None:
    """The server has no filters, and a list without an end; each answer is in time."""
    local.add(email="a@example.com")
    for account in directory.accounts():
        directory.ask("DELETE", f"Users/{account['id']}")
    local.sql("DELETE FROM customer_account")
    config = json.dumps({"filter": {"supported": False}}).encode()
    facade.fault = lambda asked: (
        whole("200 OK", config) if asked.target.endswith("ServiceProviderConfig") else new_ones(asked)
    )
    give_provider(local, facade.url, timeout="1s")
    began = time.monotonic()
    error = local.refused(12, *command)
    assert time.monotonic() - began < PATIENCE
    # On a busy machine the time ends between two calls.
    assert "in time" in error["message"] or "took too long" in error["message"]
    assert "custctl identity sync" in error["hint"]
