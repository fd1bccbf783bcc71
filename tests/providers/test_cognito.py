"""What Cognito's documentation says and moto does not do, on a stand-in; and where credentials come from."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from custctl.identity.accounts.aws import BotocoreChain
from custctl.identity.accounts.cognito import PAGE, Cognito
from custctl.identity.accounts.provider import (
    AccountMissingError,
    AccountTakenError,
    NewAccount,
    ProviderCredentialError,
    ProviderRefusedError,
    ProviderUnavailableError,
)
from custctl.support.errors import InvalidError, UsageError
from custctl.support.web import starting_within
from tests.providers.conftest import TIMEOUT, Given, impatient
from tests.servers.pools import ACCESS, POOL, SECRET, TOKEN, Pool, PoolStandIn, User
from tests.servers.standins import Answer, Request, StandIn

Opened = Callable[[PoolStandIn], Cognito]

ADA = NewAccount("0b7d9a52:42", "ada@example.com", "Ada", "Lovelace")
PASSWORD = "correct horse battery staple 1 and Some Wood beside it!"


def _fault(kind: str, message: str = "") -> Callable[[StandIn, Request], Answer]:
    return lambda standin, request: Answer(400, {"__type": kind, "message": message})


def _is(operation: str) -> Callable[[Request], bool]:
    return lambda request: request.headers.get("x-amz-target", "").endswith(f".{operation}")


# -- names and emails ------------------------------------------------------------------------------


def test_a_folding_pool_finds_an_email_whatever_its_case(pool: PoolStandIn, cognito: Opened) -> None:
    pool.pool.users["g"] = User("g", {"sub": "g", "email": "Ada@Example.com"}, "CONFIRMED")
    provider = cognito(pool)
    assert [account.subject for account in provider.find_by_email("ada@example.com")] == ["g"]
    with pytest.raises(AccountTakenError):
        provider.create(ADA)


def test_an_old_pool_keeps_apart_what_differs_in_case(pool: PoolStandIn, cognito: Opened) -> None:
    pool.pool.folds_case = False
    pool.pool.users["g"] = User("g", {"sub": "g", "email": "Ada@Example.com"}, "CONFIRMED")
    provider = cognito(pool)
    assert provider.find_by_email("ada@example.com") == []
    made = provider.create(ADA)
    # The list has both, and so a report of drift.
    assert {account.subject for page in provider.pages(impatient) for account in page} == {"g", made.subject}


def test_the_user_name_is_not_taken_for_the_subject(cognito: Opened) -> None:
    with PoolStandIn(Pool(email_signs_in=False, has_reference=False)) as pool:
        # Somebody chose the subject of somebody else as user name.
        pool.pool.users["s-2"] = User("s-2", {"sub": "s-1", "email": "one@example.com"}, "CONFIRMED")
        pool.pool.users["two"] = User("two", {"sub": "s-2", "email": "two@example.com"}, "CONFIRMED")
        provider = cognito(pool)
        found = provider.find("s-2")
        assert found is not None
        assert found.email == "two@example.com"
        provider.delete("s-2")
        assert list(pool.pool.users) == ["s-2"]


def test_a_user_of_another_provider_behind_the_pool_is_found_by_subject(pool: PoolStandIn, cognito: Opened) -> None:
    pool.pool.users["Google_7"] = User("Google_7", {"sub": "s-7", "email": "g@example.com"}, "EXTERNAL_PROVIDER")
    provider = cognito(pool)
    provider.set_enabled("s-7", False)
    assert not pool.pool.users["Google_7"].enabled


def test_an_alias_is_not_taken_away(cognito: Opened) -> None:
    with PoolStandIn(Pool(email_signs_in=False, email_is_alias=True, has_reference=False)) as pool:
        pool.pool.users["ada"] = User(
            "ada", {"sub": "g", "email": "ada@example.com", "email_verified": "true"}, "CONFIRMED"
        )
        provider = cognito(pool)
        with pytest.raises(AccountTakenError):
            provider.create(ADA)
        made = provider.create(NewAccount("0b7d9a52:43", "bob@example.com", "Bob", "B"))
        assert made.reference == "0b7d9a52:43"
        assert provider.find_by_reference("0b7d9a52:43") == [made]
        with pytest.raises(AccountTakenError):
            provider.set_email(made.subject, "ada@example.com")


def test_a_pool_without_the_attribute_keeps_no_reference(pool: PoolStandIn, cognito: Opened) -> None:
    pool.pool.has_reference = False
    provider = cognito(pool)
    assert not provider.abilities().keeps_reference
    assert provider.create(ADA).reference is None


def test_a_pool_of_phone_numbers_is_refused(pool: PoolStandIn, cognito: Opened) -> None:
    described = {"UserPool": {"Id": POOL, "UsernameAttributes": ["phone_number"]}}
    pool.fail(lambda standin, request: Answer(200, described))
    with pytest.raises(ProviderRefusedError, match="by phone number"):
        cognito(pool).create(ADA)


# -- passwords -------------------------------------------------------------------------------------


def test_an_account_can_be_reset_as_soon_as_it_is_there(pool: PoolStandIn, cognito: Opened) -> None:
    provider = cognito(pool)
    made = provider.create(ADA)
    user = pool.pool.users[made.subject]
    # Its owner can ask for a reset on the login page, too; the password in between is nobody's.
    assert user.status == "CONFIRMED"
    assert user.attributes["email_verified"] == "true"
    provider.send_reset(made.subject)
    assert pool.pool.resets == ["ada@example.com"]


def test_an_account_that_was_made_by_halves_can_be_reset(pool: PoolStandIn, cognito: Opened) -> None:
    provider = cognito(pool)
    pool.fail(_fault("InternalErrorException"), _is("AdminSetUserPassword"))
    with pytest.raises(ProviderUnavailableError):
        provider.create(ADA)
    (found,) = provider.find_by_email("ada@example.com")
    assert found.reference == ADA.reference
    assert pool.pool.users[found.subject].status == "FORCE_CHANGE_PASSWORD"
    provider.send_reset(found.subject)
    assert pool.pool.users[found.subject].status == "RESET_REQUIRED"


@pytest.mark.parametrize("password", ["short", f" {PASSWORD}"])
def test_a_password_against_the_policy_is_invalid_input(pool: PoolStandIn, cognito: Opened, password: str) -> None:
    provider = cognito(pool)
    subject = provider.create(ADA).subject
    with pytest.raises(InvalidError) as refused:
        provider.set_password(subject, password)
    assert password not in refused.value.message


def test_words_that_quote_the_password_are_not_shown(pool: PoolStandIn, cognito: Opened) -> None:
    provider = cognito(pool)
    subject = provider.create(ADA).subject
    pool.fail(_fault("InvalidPasswordException", f"'{PASSWORD}' was leaked"), _is("AdminSetUserPassword"))
    with pytest.raises(InvalidError) as refused:
        provider.set_password(subject, PASSWORD)
    assert PASSWORD not in refused.value.message + str(refused.value.details)


def test_a_password_that_is_set_though_the_user_is_said_to_be_missing(pool: PoolStandIn, cognito: Opened) -> None:
    provider = cognito(pool)
    subject = provider.create(ADA).subject

    def set_and_deny(standin: StandIn, request: Request) -> Answer:
        standin.handle(request)
        return Answer(400, {"__type": "UserNotFoundException", "message": "User does not exist."})

    pool.fail(set_and_deny, _is("AdminSetUserPassword"))
    provider.set_password(subject, PASSWORD)
    assert pool.pool.users[subject].password == PASSWORD

    pool.fail(_fault("UserNotFoundException"), _is("AdminSetUserPassword"))
    with pytest.raises(ProviderUnavailableError) as unknown:
        provider.set_password(subject, PASSWORD)
    assert unknown.value.hint == "set the password again"

    def delete_and_deny(standin: StandIn, request: Request) -> Answer:
        del pool.pool.users[subject]
        return Answer(400, {"__type": "UserNotFoundException"})

    pool.fail(delete_and_deny, _is("AdminSetUserPassword"))
    with pytest.raises(AccountMissingError):
        provider.set_password(subject, PASSWORD)


# -- lists and limits ------------------------------------------------------------------------------


def test_a_pool_is_listed_in_pages_of_sixty(pool: PoolStandIn, cognito: Opened) -> None:
    for number in range(130):
        pool.pool.users[f"u{number}"] = User(f"u{number}", {"sub": f"u{number}", "email": f"{number}@example.com"})
    pages = list(cognito(pool).pages(impatient))
    assert [len(page) for page in pages] == [PAGE, PAGE, 10]
    assert len({account.subject for page in pages for account in page}) == 130


def test_a_list_that_leads_in_a_circle_ends(pool: PoolStandIn, cognito: Opened) -> None:
    provider = cognito(pool)
    provider.abilities()
    tokens = iter("abcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd")
    pool.fail(lambda standin, request: Answer(200, {"Users": [], "PaginationToken": next(tokens)}), times=30)
    with pytest.raises(ProviderUnavailableError, match="twice"):
        list(provider.pages(impatient))


@pytest.mark.parametrize("names", [(), ("ada", "bob")], ids=["empty pages", "the same users"])
def test_a_list_whose_tokens_have_no_end_ends(pool: PoolStandIn, cognito: Opened, names: tuple[str, ...]) -> None:
    provider = cognito(pool)
    provider.abilities()
    tokens = map(str, range(1000))
    attributes = [[{"Name": "sub", "Value": name}, {"Name": "email", "Value": f"{name}@example.com"}] for name in names]
    users = [{"Username": each[0]["Value"], "Attributes": each} for each in attributes]
    pool.fail(lambda standin, request: Answer(200, {"Users": users, "PaginationToken": next(tokens)}), times=1000)
    with pytest.raises(ProviderUnavailableError, match="twice" if names else "100 pages without users in a row"):
        list(provider.pages(impatient))
    assert next(tokens) in ("2", "100")


def test_a_search_whose_tokens_have_no_end_ends_in_time(pool: PoolStandIn, cognito: Opened) -> None:
    provider = cognito(pool)
    provider.abilities()
    tokens = map(str, range(1000))

    def slow(standin: StandIn, request: Request) -> Answer:
        time.sleep(0.05)
        return Answer(200, {"Users": [], "PaginationToken": next(tokens)})

    pool.fail(slow, _is("ListUsers"), times=1000)
    with starting_within(0.5), pytest.raises(ProviderUnavailableError, match="does not answer all requests in time"):
        provider.find("nobody")


@pytest.mark.parametrize("kind", ["TooManyRequestsException", "com.amazonaws.cognito#ThrottlingException"])
def test_a_quota_asks_to_wait(pool: PoolStandIn, cognito: Opened, kind: str) -> None:
    pool.fail(_fault(kind, "Rate exceeded"))
    with pytest.raises(ProviderUnavailableError) as limited:
        cognito(pool).find("s")
    assert limited.value.retry_after == 1.0


def test_what_a_user_forbids_is_no_fault_of_the_credential(pool: PoolStandIn, cognito: Opened) -> None:
    provider = cognito(pool)
    subject = provider.create(ADA).subject
    pool.fail(_fault("NotAuthorizedException", "User is disabled."), _is("AdminResetUserPassword"))
    with pytest.raises(ProviderRefusedError, match="User is disabled"):
        provider.send_reset(subject)


# -- where it is, and who asks ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pool", "host"),
    [
        ("eu-west-1_AbCdEfGhI", "cognito-idp.eu-west-1.amazonaws.com"),
        ("us-gov-west-1_AbCdEfGhI", "cognito-idp.us-gov-west-1.amazonaws.com"),
        ("cn-north-1_AbCdEfGhI", "cognito-idp.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_the_region_is_that_of_the_pool(pool: str, host: str) -> None:
    provider = Cognito(pool, timeout=TIMEOUT, chain=Given(ACCESS, SECRET))
    assert provider._service._web.host == host
    provider.close()


def test_another_pool_is_not_there(pool: PoolStandIn) -> None:
    provider = Cognito("eu-west-1_other", endpoint=pool.url, timeout=TIMEOUT, chain=Given(ACCESS, SECRET, TOKEN))
    with pytest.raises(ProviderRefusedError, match="does not exist") as refused:
        provider.abilities()
    assert refused.value.hint == "check `pool` and `region` in the profile's `identity`"
    provider.close()


def test_a_wrong_key_is_a_fault_of_the_credential(pool: PoolStandIn) -> None:
    provider = Cognito(POOL, endpoint=pool.url, timeout=TIMEOUT, chain=Given(ACCESS, "another", TOKEN))
    with pytest.raises(ProviderCredentialError, match="signature"):
        provider.abilities()
    provider.close()


def test_a_missing_permission_is_named(pool: PoolStandIn, cognito: Opened) -> None:
    pool.fail(_fault("AccessDeniedException", "User: arn:aws:iam::1:user/x is not authorized"))
    with pytest.raises(ProviderCredentialError) as denied:
        cognito(pool).abilities()
    assert denied.value.hint == "allow `cognito-idp:DescribeUserPool` in the IAM policy of this credential"


@pytest.fixture
def aws_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home for AWS's settings, on a machine without a role."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return tmp_path


def test_the_credential_comes_from_aws_own_chain(aws_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = BotocoreChain(5)
    with pytest.raises(ProviderCredentialError, match="no AWS credential was found"):
        chain.keys()
    (aws_home / "credentials").write_text("[other]\naws_access_key_id = AKIDOTHER\naws_secret_access_key = x\n")
    monkeypatch.setenv("AWS_PROFILE", "other")
    assert BotocoreChain(5).keys().access == "AKIDOTHER"
    monkeypatch.setenv("AWS_PROFILE", "missing")
    with pytest.raises(ProviderCredentialError, match="missing"):
        BotocoreChain(5).keys()


def test_a_program_for_the_credential_that_never_ends_is_not_waited_for(
    aws_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (aws_home / "config").write_text("[default]\ncredential_process = sleep 20\n")
    monkeypatch.setattr("custctl.identity.accounts.aws._PATIENCE", 0.5)
    with pytest.raises(ProviderCredentialError, match="no AWS credential came within"):
        BotocoreChain(5).keys()


def test_without_the_package_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(UsageError) as missing:
        BotocoreChain(5).keys()
    assert missing.value.hint is not None
    assert "`pip install 'custctl[aws]'`" in missing.value.hint
    assert "`pipx inject custctl botocore`" in missing.value.hint
