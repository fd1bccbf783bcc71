"""Auth0's provider on a stand-in; and Auth0's own client on it, which says whether it is one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from auth0.management.client import Auth0 as OwnClient
from auth0.management.core.api_error import ApiError

from custctl.identity.accounts import auth0_imports
from custctl.identity.accounts.auth0 import Auth0
from custctl.identity.accounts.auth0_imports import LARGEST, fitting
from custctl.identity.accounts.auth0_tenant import REFERENCE, Tenant
from custctl.identity.accounts.hashes import Fate, HashedAccount
from custctl.identity.accounts.provider import (
    NewAccount,
    ProviderCredentialError,
    ProviderRefusedError,
    ProviderUnavailableError,
)
from tests.providers.conftest import TIMEOUT, impatient
from tests.servers.auth0 import CLIENT, CONNECTION, DOMAIN, Auth0StandIn
from tests.servers.standins import Answer, Request, StandIn, lost

Opened = Callable[..., Auth0]

HASH = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b7dWRWJTmaaJObG"
ADA = NewAccount("0b7d9a52:42", "ada@example.com", "Ada", "Lovelace")


def _hashed(number: int, **changes: Any) -> HashedAccount:
    account = {"email": f"c{number}@example.com", "first_name": "C", "last_name": "D", **changes}
    return HashedAccount(NewAccount(f"0b7d9a52:{number}", **account), HASH)


def _no_wait(seconds: float) -> None:
    pass


# -- the stand-in ----------------------------------------------------------------------------------


def test_auth0s_own_client_takes_the_stand_in_for_auth0(auth0_standin: Auth0StandIn, auth0: Opened) -> None:
    auth0(auth0_standin).find_by_email("nobody@example.com")
    (token,) = auth0_standin.tenant.tokens
    with httpx.Client(timeout=60) as client:
        own = OwnClient(base_url=f"{auth0_standin.url}/api/v2", token=token, httpx_client=client)

        settings: Any = {"connection": CONNECTION, "email": "Eve@example.com", "password": "correct horse 1"}
        made = own.users.create(**settings, user_id="eve", app_metadata={REFERENCE: "0b7d9a52:7"}, blocked=True)
        assert (made.user_id, made.email) == ("auth0|eve", "eve@example.com")
        with pytest.raises(ApiError) as taken:
            own.users.create(**settings)
        assert taken.value.status_code == 409
        shown = own.users.get("auth0|eve")
        assert shown.blocked
        assert shown.app_metadata == {REFERENCE: "0b7d9a52:7"}
        assert own.users.update("auth0|eve", blocked=False).blocked is False
        assert [user.user_id for user in own.users.list_users_by_email(email="eve@example.com")] == ["auth0|eve"]
        assert [user.user_id for user in own.users.list(per_page=10)] == ["auth0|eve"]
        assert [each.name for each in own.connections.list()] == [CONNECTION]

        users = [{"email": "f@example.com", "user_id": "f"}, {"email": "eve@example.com"}]
        job = own.jobs.users_imports.create(
            users=("users.json", json.dumps(users).encode(), "application/json"), connection_id="con_0000000000000001"
        )
        states = [own.jobs.get(job.id).status for _ in range(2)]
        assert states == ["pending", "completed"]
        assert "DUPLICATED_USER" in str(own.jobs.errors.get(job.id))
        own.users.delete("auth0|eve")
        with pytest.raises(ApiError) as missing:
            own.users.get("auth0|eve")
        assert missing.value.status_code == 404


# -- the client's own credential -------------------------------------------------------------------


def test_one_token_serves_all_requests_and_is_renewed_once(auth0_standin: Auth0StandIn, auth0: Opened) -> None:
    provider = auth0(auth0_standin)
    subject = provider.create(ADA).subject
    provider.find(subject)
    assert [request.path for request in auth0_standin.requests].count("/oauth/token") == 1
    auth0_standin.expire_tokens()
    provider.set_enabled(subject, False)
    assert [request.path for request in auth0_standin.requests].count("/oauth/token") == 2
    auth0_standin.fail(lambda standin, request: Answer(401, {"message": "no"}), lambda r: "users" in r.path, times=9)
    with pytest.raises(ProviderCredentialError, match="refuses the token"):
        provider.find(subject)
    assert [request.path for request in auth0_standin.requests].count("/oauth/token") == 3


def test_a_wrong_secret_and_a_missing_one(auth0_standin: Auth0StandIn, auth0: Opened) -> None:
    provider = auth0(auth0_standin, secret="another-secret")
    with pytest.raises(ProviderCredentialError) as refused:
        provider.find("auth0|x")
    assert "another-secret" not in refused.value.message + str(refused.value.hint)
    with pytest.raises(ProviderCredentialError, match="no secret"):
        Tenant(DOMAIN, CONNECTION, client_id=CLIENT, secret=None, timeout=TIMEOUT)


def test_a_missing_scope_is_named(auth0_standin: Auth0StandIn, auth0: Opened) -> None:
    auth0_standin.scopes_missing = True
    with pytest.raises(ProviderCredentialError) as denied:
        auth0(auth0_standin).find("auth0|x")
    assert denied.value.hint == "grant it the scopes of the Management API: read:users"


def test_a_limit_says_when_it_ends(auth0_standin: Auth0StandIn, auth0: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = auth0(auth0_standin)
    provider.find("auth0|x")
    monkeypatch.setattr("custctl.identity.accounts.asking.time.time", lambda: 1_000_000.0)
    for headers, seconds in (
        ({"x-ratelimit-reset": "1000012"}, 12.0),
        ({"x-ratelimit-reset": "999999"}, 0.0),
        ({"Retry-After": "3", "x-ratelimit-reset": "1000012"}, 3.0),
        ({"Retry-After": "Mon, 12 Jan 1970 13:46:45 GMT"}, 5.0),
        ({"Retry-After": "soon"}, 1.0),
        ({}, 1.0),
    ):
        auth0_standin.fail(lambda standin, request, headers=headers: Answer(429, {}, headers))  # type: ignore[misc]
        with pytest.raises(ProviderUnavailableError) as limited:
            provider.find("auth0|x")
        assert limited.value.retry_after == seconds


def test_what_it_can_do_is_said_only_after_a_look(auth0_standin: Auth0StandIn, auth0: Opened) -> None:
    provider = auth0(auth0_standin)
    assert provider.abilities().takes_hashes
    asked = len(auth0_standin.requests)
    provider.abilities()
    assert len(auth0_standin.requests) == asked
    with pytest.raises(ProviderCredentialError, match="refuses the login of the client"):
        auth0(auth0_standin, secret="wrong").abilities()
    auth0_standin.scopes_missing = True
    with pytest.raises(ProviderCredentialError, match="does not allow"):
        auth0(auth0_standin).abilities()
    auth0_standin.scopes_missing = False
    provider = auth0(auth0_standin)
    provider.tenant.connection = "Nope"
    with pytest.raises(ProviderRefusedError, match="has no database connection `Nope`"):
        provider.abilities()


# -- users -----------------------------------------------------------------------------------------


def test_a_user_of_another_connection_is_nobody(auth0_standin: Auth0StandIn, auth0: Opened) -> None:
    provider = auth0(auth0_standin)
    made = provider.create(ADA)
    auth0_standin.users[made.subject].shown["identities"][0]["connection"] = "google-oauth2"
    assert provider.find(made.subject) is None
    assert provider.find_by_email("ada@example.com") == []
    assert list(provider.pages(impatient)) == []


def test_another_user_than_the_asked_one_is_not_taken(auth0_standin: Auth0StandIn, auth0: Opened) -> None:
    provider = auth0(auth0_standin)
    made = provider.create(ADA)
    shown = auth0_standin.users[made.subject].shown
    auth0_standin.fail(lambda standin, request: Answer(200, shown))
    with pytest.raises(ProviderUnavailableError, match="another user"):
        provider.find("auth0|somebody-else")
    auth0_standin.fail(lambda standin, request: Answer(200, [shown]))
    assert provider.find_by_email("bob@example.com") == []


def test_a_reset_is_sent_by_auth0(auth0_standin: Auth0StandIn, auth0: Opened) -> None:
    provider = auth0(auth0_standin)
    provider.send_reset(provider.create(ADA).subject)
    assert auth0_standin.tenant.resets == ["ada@example.com"]


def test_more_users_than_a_search_shows_are_listed(auth0_standin: Auth0StandIn, auth0: Opened) -> None:
    provider = auth0(auth0_standin)
    for number in range(1234):
        auth0_standin._add({"email": f"{number}@example.com"})
    users = list(auth0_standin.users.values())
    # A bulk import makes many at one time: more than a page.
    for user in users[150:450]:
        user.shown["created_at"] = users[150].shown["created_at"]
    subjects = [account.subject for page in provider.pages(impatient) for account in page]
    assert len(subjects) == 1234
    assert set(subjects) == set(auth0_standin.users)

    # One that is deleted meanwhile hides no other.
    pages = provider.pages(impatient)
    seen = [account.subject for account in next(pages)]
    del auth0_standin.users[seen[0]]
    seen += [account.subject for page in pages for account in page]
    assert set(seen) >= set(auth0_standin.users)

    for user in users:
        user.shown["created_at"] = "2026-11-01T00:00:00.000Z"
    with pytest.raises(ProviderRefusedError, match="more than 1000 users created at"):
        list(provider.pages(impatient))


# -- hashes ----------------------------------------------------------------------------------------


def test_hashes_are_imported_and_each_is_reported(auth0_standin: Auth0StandIn, auth0: Opened) -> None:
    provider = auth0(auth0_standin)
    provider.create(NewAccount("0b7d9a52:3", "c3@example.com", "C", "D"))
    auth0_standin._add({"email": "c4@example.com"})
    batch = [_hashed(1), _hashed(2, enabled=False), _hashed(3), _hashed(4), _hashed(5, email="ü@example.com")]
    verdicts = provider.take_hashes(batch, _no_wait)
    fates = {reference.partition(":")[2]: verdict.fate for reference, verdict in verdicts.items()}
    assert fates == {
        "1": Fate.TAKEN,
        "2": Fate.TAKEN,
        "3": Fate.WITHOUT_HASH,
        "4": Fate.REFUSED,
        "5": Fate.REFUSED,
    }
    assert verdicts["0b7d9a52:4"].reason == "another account has this email"
    assert verdicts["0b7d9a52:5"].reason == "OBJECT_DIDNT_PASS_VALIDATION_FORMAT (email)"
    first = auth0_standin.users[str(verdicts["0b7d9a52:1"].subject)]
    assert (first.hash, first.shown["blocked"], first.shown["email_verified"]) == (HASH, False, True)
    assert auth0_standin.users[str(verdicts["0b7d9a52:2"].subject)].shown["blocked"]
    assert HASH not in str(verdicts) + repr(batch)


def test_an_import_whose_answer_is_lost_is_run_again(auth0_standin: Auth0StandIn, auth0: Opened) -> None:
    provider = auth0(auth0_standin)
    batch = [_hashed(1), _hashed(2)]
    for path in ("users-imports", "job_", "errors"):
        auth0_standin.fail(lost, lambda request, path=path: path in request.path)  # type: ignore[misc]
        with pytest.raises(ProviderUnavailableError):
            provider.take_hashes(batch, _no_wait)
    assert {verdict.fate for verdict in provider.take_hashes(batch, _no_wait).values()} == {Fate.TAKEN}
    # Another hash of the same customer was not imported.
    other = HashedAccount(batch[0].account, HASH.replace("m=65536", "m=65537"))
    assert provider.take_hashes([other], _no_wait)["0b7d9a52:1"].fate is Fate.WITHOUT_HASH


def test_an_import_that_does_not_end_is_given_up(
    auth0_standin: Auth0StandIn, auth0: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth0_imports, "_JOB_ENDS", 40.0)
    auth0_standin.pending_looks = 1000
    waited: list[float] = []
    with pytest.raises(ProviderRefusedError, match="has not finished the import job"):
        auth0(auth0_standin).take_hashes([_hashed(1)], waited.append)
    assert sum(waited) == 40


def test_a_report_that_does_not_add_up_is_not_believed(auth0_standin: Auth0StandIn, auth0: Opened) -> None:
    provider = auth0(auth0_standin)
    auth0_standin._add({"email": "c2@example.com"})

    def says_nothing(standin: StandIn, request: Request) -> Answer:
        return Answer(204)

    auth0_standin.fail(says_nothing, lambda request: request.path.endswith("/errors"))
    with pytest.raises(ProviderUnavailableError, match="does not add up"):
        provider.take_hashes([_hashed(1), _hashed(2)], _no_wait)


def test_at_most_two_jobs_run_at_once(auth0_standin: Auth0StandIn, auth0: Opened) -> None:
    provider = auth0(auth0_standin)
    waits: list[float] = []
    auth0_standin.pending_looks = 2
    provider.take_hashes([_hashed(1)], waits.append)
    for job in auth0_standin.tenant.jobs.values():
        job.looks = 0
    auth0_standin.tenant.jobs["other"] = next(iter(auth0_standin.tenant.jobs.values()))

    def wait(seconds: float) -> None:
        waits.append(seconds)
        for job in auth0_standin.tenant.jobs.values():
            job.looks += 1

    assert provider.take_hashes([_hashed(2)], wait)["0b7d9a52:2"].fate is Fate.TAKEN
    assert len(waits) > 3


def test_a_file_stays_below_the_limit(auth0_standin: Auth0StandIn, auth0: Opened) -> None:
    provider = auth0(auth0_standin)
    batch = [_hashed(number, last_name="ñ" * 200) for number in range(1500)]
    while batch:
        count = fitting(batch)
        assert {verdict.fate for verdict in provider.take_hashes(batch[:count], _no_wait).values()} == {Fate.TAKEN}
        batch = batch[count:]
    sizes = [len(request.body) for request in auth0_standin.requests if request.path.endswith("users-imports")]
    assert len(sizes) > 1
    assert max(sizes) < 500_000
    assert LARGEST < 500_000


def test_a_connection_that_is_not_there(auth0_standin: Auth0StandIn, auth0: Opened) -> None:
    provider = auth0(auth0_standin)
    provider.tenant.connection = "Other"
    with pytest.raises(ProviderRefusedError, match="no database connection `Other`"):
        provider.take_hashes([_hashed(1)], _no_wait)
