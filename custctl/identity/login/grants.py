"""OAuth grants that get tokens from an identity provider: for people (device or browser) and for jobs.

Source: RFC 8628 (device), RFC 8252 and RFC 7636 (browser), RFC 6749 (refresh, client credentials), RFC 7523 (private
keys), OpenID Connect Core 1.0.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from custctl.identity.login.keeping import Kept
from custctl.identity.login.provider import OAuthError
from custctl.identity.login.roles import has_claim
from custctl.identity.login.tokens import check_token
from custctl.profiles.credentials import Secret
from custctl.support.errors import CredentialError, UnavailableError

if TYPE_CHECKING:
    from custctl.identity.login.provider import Provider

_DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_INTERVAL = 5.0  # default seconds between polls; RFC 8628, 3.2
_SLOWER = 5.0  # seconds added by `slow_down`; RFC 8628, 3.5
_LONGEST_WAIT = 1800.0  # maximum seconds to poll for a code, whatever the provider says
_AGAIN = "run `custctl login` again"


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a person must do on another device.

    Attributes:
        url: the page to open.
        code: the code to type there.
        complete: the URL that already contains the code, or None.
        seconds: how long the code is valid.
    """

    url: str
    code: str
    complete: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class ClientKey:
    """How a job authenticates: with a secret, or with a private key.

    Attributes:
        secret: a secret shared with the provider, or None.
        key: a private key in PEM or as a JSON Web Key, or None.
    """

    secret: Secret | None = None
    key: Secret | None = None


# -- people ----------------------------------------------------------------------------------------


def by_device(
    provider: Provider, show: Callable[[Prompt], None], *, sleep: Callable[[float], None] = time.sleep
) -> Kept:
    """Log in on another device, and wait for that.

    Args:
        show: tells the person what to do.
        sleep: waits for a number of seconds.

    Raises:
        CredentialError: the login was refused, the code expired, or the tokens are invalid.
        UnavailableError: the provider does not answer.
    """
    client = {"client_id": provider.login.client_id}
    begun = provider.post("device_authorization_endpoint", {**client, "scope": " ".join(provider.login.scopes)})
    device_code, code, url = (begun.get(name) for name in ("device_code", "user_code", "verification_uri"))
    if not (isinstance(device_code, str) and isinstance(code, str) and isinstance(url, str)):
        raise UnavailableError(f"`{provider.login.issuer}` sent no code to log in with on another device")
    seconds = min(_number(begun.get("expires_in"), _LONGEST_WAIT), _LONGEST_WAIT)
    interval = _number(begun.get("interval"), _INTERVAL)
    complete = begun.get("verification_uri_complete")
    show(Prompt(url, code, complete if isinstance(complete, str) else None, seconds))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sleep(min(interval, max(0.0, end - time.monotonic())))
        try:
            answer = provider.post("token_endpoint", {**client, "grant_type": _DEVICE, "device_code": device_code})
        except OAuthError as error:
            if error.code == "slow_down":
                interval += _SLOWER
            elif error.code == "expired_token":
                break
            elif error.code == "access_denied":
                raise CredentialError("the login was denied", hint=_AGAIN) from None
            elif error.code != "authorization_pending":
                raise
            continue
        except UnavailableError:
            # The person may be halfway through: only the code's expiry ends the wait.
            interval += _SLOWER
            continue
        return accepted(provider, answer)
    raise CredentialError("the code expired before it was entered", hint=_AGAIN)


def by_code(provider: Provider, *, code: str, redirect_uri: str, verifier: str, nonce: str) -> Kept:
    """Exchange the code from the browser for tokens. Raises as `by_device` does."""
    fields = {
        "grant_type": "authorization_code",
        "client_id": provider.login.client_id,
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
    }
    return accepted(provider, provider.post("token_endpoint", fields), nonce=nonce)


def by_refresh(provider: Provider, kept: Kept) -> Kept:
    """Get new tokens. The refresh token must not be used again, whatever the result.

    Raises:
        CredentialError: the provider refuses, or the tokens are invalid.
        UnavailableError: it is unknown whether the refresh token was used up.
    """
    assert kept.refresh_token is not None
    fields = {
        "grant_type": "refresh_token",
        "client_id": provider.login.client_id,
        "refresh_token": kept.refresh_token.reveal(),
    }
    return accepted(provider, provider.post("token_endpoint", fields), before=kept)


def accepted(
    provider: Provider, answer: Mapping[str, Any], *, nonce: str | None = None, before: Kept | None = None
) -> Kept:
    """Check the answer of a token endpoint.

    Args:
        nonce: the value that the ID token must repeat.
        before: the login that is being refreshed; the provider need not send an ID token again.

    Raises:
        CredentialError: there is no ID token, or it is invalid.
    """
    now = time.time()
    access, refresh, identity = (_text(answer.get(f"{name}_token")) for name in ("access", "refresh", "id"))
    access_expires_at = now + _number(answer.get("expires_in"), 0.0)
    if identity is not None:
        claims = _checked(provider, identity, nonce=nonce, what="ID token")
        expires_at = float(claims["exp"])
        if access is not None and not has_claim(claims, provider.login.claim):
            claims = {**_more_claims(provider, access, claims["sub"]), **claims}
    elif before is not None and access is not None:
        claims, expires_at = dict(before.claims), access_expires_at
    else:
        raise CredentialError(
            f"`{provider.login.issuer}` sent no ID token", hint="`login.scopes` must contain `openid`"
        )
    if before is not None and claims.get("sub") != before.claims.get("sub"):
        raise CredentialError("the refreshed login is somebody else's", hint=_AGAIN)
    if refresh is None and before is not None and before.refresh_token is not None:
        refresh = before.refresh_token.reveal()
    return Kept(
        claims={name: value for name, value in claims.items() if name not in ("at_hash", "c_hash", "nonce")},
        expires_at=expires_at,
        access_token=Secret(access) if access is not None else None,
        access_expires_at=access_expires_at,
        refresh_token=Secret(refresh) if refresh is not None else None,
    )


def _more_claims(provider: Provider, access: str, subject: str) -> Mapping[str, Any]:
    """Return the role claims that the ID token lacks, from the access token or the provider's user info."""
    try:
        claims: Mapping[str, Any] = _checked(provider, access, what="access token")
    except CredentialError:
        claims = {}  # an access token need not be a JWT
    if claims.get("sub") == subject and has_claim(claims, provider.login.claim):
        return _of_roles(claims, provider.login.claim)
    told = provider.user_info(access)
    return _of_roles(told, provider.login.claim) if told.get("sub") == subject else {}


def _of_roles(claims: Mapping[str, Any], name: str) -> dict[str, Any]:
    top = name if name in claims else name.partition(".")[0]
    return {top: claims[top]} if top in claims else {}


def _checked(provider: Provider, token: str, *, nonce: str | None = None, what: str) -> dict[str, Any]:
    login = provider.login
    return check_token(token, provider.keys, issuer=login.issuer, client_id=login.client_id, nonce=nonce, what=what)


# -- jobs ------------------------------------------------------------------------------------------


def by_token(provider: Provider, token: Secret, what: str) -> Kept:
    """Check a token given to a job. Raises as `check_token` does."""
    claims = _checked(provider, token.reveal(), what=what)
    return Kept(claims, float(claims["exp"]), access_token=token, access_expires_at=float(claims["exp"]))


def by_client_credentials(provider: Provider, client: ClientKey) -> Kept:
    """Log in a job as the client itself.

    Raises:
        CredentialError: the provider refuses, or its token does not say who it is for.
        UnavailableError: the provider does not answer.
    """
    scopes = " ".join(scope for scope in provider.login.scopes if scope not in ("openid", "offline_access"))
    fields = {"grant_type": "client_credentials", "client_id": provider.login.client_id}
    if scopes:
        fields["scope"] = scopes
    if client.key is not None:
        answer = _with_key(provider, fields, client.key)
    else:
        assert client.secret is not None
        answer = provider.post("token_endpoint", {**fields, "client_secret": client.secret.reveal()})
    access = _text(answer.get("access_token"))
    if access is None:
        raise CredentialError(f"`{provider.login.issuer}` sent no access token")
    return by_token(provider, Secret(access), "access token")


def _with_key(provider: Provider, fields: Mapping[str, str], key: Secret) -> Mapping[str, Any]:
    # The assertion's audience is the issuer, by RFC 7523bis; older providers accept only the endpoint.
    endpoint = provider.endpoint("token_endpoint")
    for audience in (provider.login.issuer, endpoint):
        assertion = _assertion(provider.login.client_id, audience, key)
        try:
            return provider.post(
                "token_endpoint",
                {**fields, "client_assertion_type": _ASSERTION, "client_assertion": assertion},
            )
        except OAuthError as error:
            if error.code != "invalid_client" or audience == endpoint:
                raise
    raise AssertionError


def _assertion(client_id: str, audience: str, key: Secret) -> str:
    import secrets

    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import import_key

    text = key.reveal().strip()
    now = int(time.time())
    claims = {
        "iss": client_id, "sub": client_id, "aud": audience, "jti": secrets.token_urlsafe(24), "iat": now, "exp": now + 60
    }  # fmt: skip
    try:
        if text.startswith("{"):
            import json

            made = import_key(json.loads(text))
        else:
            kind = _kind_of_pem(text)
            made = import_key(text, kind)
        algorithm = _algorithm(made)
        header = {"alg": algorithm, "typ": "JWT", **({"kid": made.kid} if made.kid else {})}
        return jwt.encode(header, claims, made, algorithms=[algorithm])
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        # The error's own message may quote the key.
        raise CredentialError(
            "the client's private key cannot be used",
            hint="an RSA, EC or Ed25519 key in PEM without a passphrase, or a JWK",
        ) from None


def _kind_of_pem(text: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(text.encode(), None)
    return "RSA" if isinstance(key, RSAPrivateKey) else "EC" if isinstance(key, EllipticCurvePrivateKey) else "OKP"


def _algorithm(key: Any) -> str:
    if key.key_type == "EC":
        return {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}[key.curve_name]
    return {"RSA": "RS256", "OKP": "EdDSA"}[key.key_type]


# -- the end ---------------------------------------------------------------------------------------


def revoke(provider: Provider, kept: Kept) -> bool:
    """Revoke a login's tokens at the provider; return whether the provider supports it. Source: RFC 7009.

    Raises:
        CredentialError, UnavailableError: the provider did not revoke them.
    """
    if not provider.offers("revocation_endpoint"):
        return False
    for token, kind in ((kept.refresh_token, "refresh_token"), (kept.access_token, "access_token")):
        if token is not None:
            fields = {"client_id": provider.login.client_id, "token": token.reveal(), "token_type_hint": kind}
            try:
                provider.post("revocation_endpoint", fields)
            except OAuthError as error:
                # A provider need not revoke access tokens, which expire soon.
                if kind == "refresh_token" or error.code != "unsupported_token_type":
                    raise
    return True


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: Any, otherwise: float) -> float:
    usable = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
    return float(value) if usable else otherwise
