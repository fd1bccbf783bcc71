"""What a provider may answer, right or wrong: played by a scripted provider, which says so in its name."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from custctl.identity.login import grants, provider
from custctl.identity.login.browser import browser_command, by_browser
from custctl.identity.login.grants import Prompt
from custctl.identity.login.keeping import Kept
from custctl.identity.login.provider import OAuthError, Provider
from custctl.identity.login.roles import Role, role_of
from custctl.profiles.credentials import Secret
from custctl.profiles.model import Login
from custctl.support.errors import CredentialError, CustctlError, UnavailableError
from tests.servers.oidc import query
from tests.servers.scripted_provider import Answer, ScriptedProvider

PENDING: Answer = (400, {"error": "authorization_pending"})


def login(scripted: ScriptedProvider, **changes: Any) -> Login:
    roles = {"support": ("helpdesk",), "operator": ("sales-ops",), "admin": ("dba",)}
    made: dict[str, Any] = {"client_id": "custctl", "scopes": ("openid",), "claim": "groups", "roles": roles, **changes}
    return Login(scripted.issuer, **made)


@pytest.fixture
def at(scripted: ScriptedProvider) -> Iterator[Provider]:
    made = Provider(login(scripted))
    yield made
    made.close()


def by_device(at: Provider, waits: list[float] | None = None) -> Kept:
    waits = [] if waits is None else waits
    return grants.by_device(at, lambda _: None, sleep=waits.append)


def test_polling_slows_down_when_asked_and_ends_with_the_tokens(scripted: ScriptedProvider, at: Provider) -> None:
    slow: Answer = (400, {"error": "slow_down"})
    scripted.answers["/token"] = [PENDING, slow, PENDING, slow, (503, {}), scripted.tokens()]
    shown: list[Prompt] = []
    waits: list[float] = []
    kept = grants.by_device(at, shown.append, sleep=waits.append)
    assert [prompt.code for prompt in shown] == ["ABCD-EFGH"]
    # From the provider's interval on, five seconds more each time; an outage is no reason to give up.
    assert waits == [0, 0, 5, 5, 10, 15]
    assert kept.claims["sub"] == "olga"
    assert "opaque" not in repr(kept)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("expired_token", "the code expired before it was entered"),
        ("access_denied", "the login was denied"),
        ("invalid_client", "`127.0.0.1` refused: invalid_client"),
    ],
)
def test_a_login_that_ends_says_why(scripted: ScriptedProvider, at: Provider, error: str, message: str) -> None:
    scripted.answers["/token"] = [PENDING, (400, {"error": error})]
    with pytest.raises(CredentialError) as raised:
        by_device(at)
    assert raised.value.message == message


def test_a_code_that_nobody_enters_expires_here_too(scripted: ScriptedProvider, at: Provider) -> None:
    scripted.answers["/token"] = [PENDING]
    begun = {
        "device_code": "d",
        "user_code": "u",
        "verification_uri": scripted.issuer,
        "interval": 0,
        "expires_in": 0.3,
    }
    scripted.answers["/device_authorization"] = [begun]
    with pytest.raises(CredentialError, match="the code expired"):
        grants.by_device(at, lambda _: None)


def _unsigned(scripted: ScriptedProvider) -> str:
    claims = scripted.token().split(".")[1]
    header = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    return f"{header}.{claims}."


FORGED = {
    "alg: none": (_unsigned, "is not signed by a key of its issuer"),
    "a foreign key": (lambda s: s.token(key=RSAKey.generate_key(2048)), "is not signed by a key of its issuer"),
    "a shared secret": (
        lambda s: jwt.encode({"alg": "HS256", "kid": "two"}, {"iss": s.issuer}, OctKey.import_key("secret-secret-secret")),
        "is not signed by a key of its issuer",
    ),
    "an unknown key": (lambda s: s.token(header={"alg": "RS256", "kid": "three"}), "is not signed by a key"),
    "another issuer": (lambda s: s.token(iss="https://evil.example"), "is not from"),
    "another client": (lambda s: s.token(aud="other"), "is for another client"),
    "another party": (lambda s: s.token(aud=["custctl", "other"], azp="other"), "was issued to another client"),
    "expired": (lambda s: s.token(exp=int(time.time()) - 100), "has expired"),
    "no end": (lambda s: s.token(exp=None), "does not say when it expires"),
    "an end that no clock has": (lambda s: s.token(exp=10**400), "does not say when it expires"),
    "an end that never comes": (lambda s: s.token(exp=float("nan")), "does not say when it expires"),
    "a header nested too deeply": (
        lambda s: base64.urlsafe_b64encode(b"[" * 30_000).decode() + ".e30.AAAA", "is not signed by a key of its issuer"
    ),
    "of tomorrow": (lambda s: s.token(iat=int(time.time()) + 86400), "is not valid yet"),
    "nobody": (lambda s: s.token(sub=""), "no usable subject"),
    "a control character": (lambda s: s.token(sub="a\x1b[2J"), "no usable subject"),
    "no token": (lambda s: "nonsense", "is not a signed JWT"),
}  # fmt: skip


@pytest.mark.parametrize("forged", FORGED)
def test_a_token_that_is_not_in_order_is_refused(scripted: ScriptedProvider, at: Provider, forged: str) -> None:
    make, message = FORGED[forged]
    token = make(scripted)
    scripted.answers["/token"] = [{"access_token": "a", "id_token": token}]
    with pytest.raises(CredentialError) as raised:
        by_device(at)
    assert message in raised.value.message
    assert token not in raised.value.message


def test_the_browser_must_bring_the_answer_to_this_login(scripted: ScriptedProvider, at: Provider) -> None:
    def answer(**changes: str) -> Kept:
        def visit(url: str) -> None:
            asked = query(url)
            scripted.answers["/token"] = [scripted.tokens(nonce=changes.get("nonce", asked["nonce"]))]
            given = {"code": "c", "state": asked["state"], "iss": scripted.issuer, **changes}

            def go() -> None:
                # Whatever else calls the port changes nothing.
                httpx.get(f"{asked['redirect_uri']}?code=evil&state=guessed", timeout=10)
                httpx.get(asked["redirect_uri"], params=given, timeout=10)

            threading.Thread(target=go, daemon=True).start()

        return by_browser(at, lambda _: None, visit, patience=10)

    assert answer().claims["sub"] == "olga"
    path, form = scripted.asked[-1] if scripted.asked[-1][0] == "/token" else scripted.asked[-2]
    assert (path, form["code"]) == ("/token", "c")
    assert len(form["code_verifier"]) >= 43
    with pytest.raises(CredentialError, match="belongs to another login"):
        answer(nonce="another")
    with pytest.raises(CredentialError, match="the answer in the browser is not from"):
        answer(iss="https://evil.example")
    with pytest.raises(CredentialError, match="the login was refused: access_denied"):
        answer(error="access_denied")
    with pytest.raises(CredentialError, match="timed out waiting for the login"):
        by_browser(at, lambda _: None, lambda _: None, patience=0)


def _endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    with suppress(OSError):
        while True:
            handler.wfile.write(b"x" * 65536)


def _frozen(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(3)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (_endless, "answer"),
        (_frozen, "does not answer in time"),
        ((500, {}), "answered with status 500"),
        ((200, []), "something other than a JSON object"),
    ],
    ids=["endless", "frozen", "500", "a list"],
)
def test_a_provider_out_of_order_ends_in_time(
    scripted: ScriptedProvider, monkeypatch: pytest.MonkeyPatch, answer: Any, message: str
) -> None:
    monkeypatch.setattr(provider, "_TIMEOUT", 1.0)
    scripted.answers["/.well-known/openid-configuration"] = [answer]
    made = Provider(login(scripted))
    with pytest.raises(UnavailableError, match=message):
        _ = made.metadata
    made.close()


def _nested(handler: BaseHTTPRequestHandler) -> None:
    body = b"[" * 100_000
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.mark.parametrize(
    "path", ["/.well-known/openid-configuration", "/device_authorization", "/token", "/jwks", "/userinfo"]
)
def test_whatever_an_endpoint_answers_is_no_failure_of_the_program(scripted: ScriptedProvider, path: str) -> None:
    scripted.answers["/token"] = [scripted.tokens(groups=None)]
    begun = scripted.answer("/device_authorization")
    assert isinstance(begun, dict)
    scripted.answers["/device_authorization"] = [{**begun, "expires_in": 0.1}]
    scripted.answers.setdefault("/userinfo", [{"sub": "olga"}])
    right = scripted.answer(path)
    assert isinstance(right, dict)
    wrong: tuple[Any, ...] = (
        None,
        5,
        -1,
        True,
        [],
        {},
        "",
        "\x1b[2J",
        "\ud800",
        "https://[bad",
        "http://evil.example/",
        float("inf"),
    )
    answers: list[Any] = [*(answer for answer in wrong if answer != {}), (500, {"error": ["x"]}), (204, {}), _nested]
    # Each wrong value in every third field, and a third of them in each.
    answers += [{**right, name: value} for at, name in enumerate(right) for value in wrong[at % 3 :: 3]]
    for answer in answers:
        scripted.answers[path] = [answer]
        made = Provider(login(scripted))
        with suppress(CustctlError):
            by_device(made)
        made.close()


def test_a_provider_must_be_the_one_that_the_profile_names(scripted: ScriptedProvider, at: Provider) -> None:
    told = {"issuer": "https://evil.example", "token_endpoint": "http://evil.example/token"}
    scripted.answers["/.well-known/openid-configuration"] = [told, {**told, "issuer": scripted.issuer}]
    with pytest.raises(CredentialError, match="says that its issuer is"):
        _ = at.metadata
    with pytest.raises(CredentialError, match="is not an `https` URL"):
        at.endpoint("token_endpoint")
    with pytest.raises(CustctlError, match="has no `revocation_endpoint`"):
        at.endpoint("revocation_endpoint")


def test_a_refresh_keeps_who_it_is_and_takes_the_next_token(scripted: ScriptedProvider, at: Provider) -> None:
    before = Kept({"sub": "olga", "groups": ["dba"]}, 0.0, refresh_token=Secret("r1"))
    scripted.answers["/token"] = [
        {**scripted.tokens(), "refresh_token": "r2"},
        {"access_token": "a", "expires_in": 600},
        scripted.tokens(sub="somebody else"),
    ]
    fresh = grants.by_refresh(at, before)
    assert (fresh.claims["groups"], fresh.refresh_token and fresh.refresh_token.reveal()) == (["sales-ops"], "r2")
    # A provider need not send an ID token again, nor another refresh token.
    same = grants.by_refresh(at, before)
    assert (same.claims, same.refresh_token and same.refresh_token.reveal()) == (before.claims, "r1")
    with pytest.raises(CredentialError, match="somebody else's"):
        grants.by_refresh(at, before)


def test_roles_come_from_the_access_token_or_the_provider_where_the_id_token_has_none(
    scripted: ScriptedProvider, at: Provider
) -> None:
    plain = scripted.tokens(groups=None)
    scripted.answers["/token"] = [
        {**plain, "access_token": scripted.token(aud="api", client_id="custctl")},
        plain,
        plain,
    ]
    scripted.answers["/userinfo"] = [{"sub": "olga", "groups": "dba"}, {"sub": "another", "groups": "dba"}]
    assert [role_of(by_device(at).claims, at.login) for _ in range(3)] == [Role.OPERATOR, Role.ADMIN, None]


def test_what_a_provider_says_never_quotes_what_was_sent(scripted: ScriptedProvider, at: Provider) -> None:
    scripted.answers["/token"] = [
        (400, {"error": "invalid_grant", "error_description": "no such token: top-secret-one"})
    ]
    with pytest.raises(OAuthError) as raised:
        grants.by_refresh(at, Kept({"sub": "x"}, 0.0, refresh_token=Secret("top-secret-one")))
    assert "top-secret-one" not in raised.value.message


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"groups": ["helpdesk", "dba"]}, Role.ADMIN),
        ({"groups": "helpdesk crm"}, Role.SUPPORT),
        ({"groups": ["nothing", 7, None]}, None),
        ({"groups": {"helpdesk": True}}, None),
        ({}, None),
    ],
)
def test_the_highest_role_of_the_claim_counts(
    scripted: ScriptedProvider, claims: dict[str, Any], role: Role | None
) -> None:
    assert role_of(claims, login(scripted)) is role


def test_a_claim_is_a_name_or_a_path(scripted: ScriptedProvider) -> None:
    nested = {"realm_access": {"roles": ["dba"]}, "https://example.com/roles": ["helpdesk"]}
    assert role_of(nested, login(scripted, claim="realm_access.roles")) is Role.ADMIN
    assert role_of(nested, login(scripted, claim="https://example.com/roles")) is Role.SUPPORT


def test_there_is_no_browser_over_ssh_or_without_a_screen() -> None:
    assert browser_command({"SSH_CONNECTION": "x", "DISPLAY": ":0"}) is None
    assert browser_command({"PATH": "/nowhere"}) is None
    assert browser_command({"BROWSER": "firefox --new-window %s"}) == ["firefox", "--new-window", "%s"]
