"""Checks tokens with the issuer's keys; never shows them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from custctl.support.errors import CredentialError

ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
)  # fmt: skip
"""Accepted signature algorithms: only those with public keys, so neither `none` nor a shared secret passes."""

LEEWAY = 60
"""Seconds by which the clocks of issuer and this machine may differ."""

_LARGEST = 64 * 1024  # characters
_LATEST = 1e15  # seconds since 1970


def check_token(
    token: str, keys: Mapping[str, Any], *, issuer: str, client_id: str, nonce: str | None = None, what: str = "token"
) -> dict[str, Any]:
    """Return the claims of a token that the issuer signed for this client and that has not expired.

    Args:
        token: a signed JWT.
        keys: the issuer's JSON Web Key Set.
        nonce: the value that an ID token must repeat; None if none was sent.
        what: the token's name in messages.

    Raises:
        CredentialError: it is not such a token; the message quotes none of it.

    Source: OpenID Connect Core 1.0, 3.1.3.7; RFC 9068, 4; RFC 8725, 3.
    """
    claims = _verified(token, keys, what)
    if claims.get("iss") != issuer:
        raise CredentialError(f"the {what} is not from `{issuer}`")
    _check_audience(claims, client_id, what)
    now = time.time()
    expires = claims.get("exp")
    if expires is None or not _is_time(expires):
        raise CredentialError(f"the {what} does not say when it expires")
    if expires <= now - LEEWAY:
        raise CredentialError(f"the {what} has expired", hint="get a new one, or check this machine's clock")
    for name in ("nbf", "iat"):
        if name in claims and not (_is_time(claims[name]) and claims[name] <= now + LEEWAY):
            raise CredentialError(f"the {what} is not valid yet", hint="check this machine's clock")
    if nonce is not None and claims.get("nonce") != nonce:
        raise CredentialError(f"the {what} belongs to another login")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject.strip() or len(subject) > 200 or not subject.isprintable():
        raise CredentialError(f"the {what} has no usable subject (`sub`)")
    return claims


def _verified(token: str, keys: Mapping[str, Any], what: str) -> dict[str, Any]:
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    if len(token) > _LARGEST or token.count(".") != 2:
        raise CredentialError(f"the {what} is not a signed JWT", hint="let the identity provider issue it as a JWT")
    listed = keys.get("keys")
    usable = KeySet([key for each in (listed if isinstance(listed, list) else ()) if (key := _key(each)) is not None])
    try:
        # joserfc's warnings, such as for a short key, are in the error if the check fails.
        claims = jwt.decode(token, usable, algorithms=list(ALGORITHMS)).claims
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        # The error's own message may quote the token.
        reason = type(error).__name__
        raise CredentialError(
            f"the {what} is not signed by a key of its issuer ({reason})",
            hint="its algorithm must be one with a public key, such as RS256 or ES256",
        ) from None
    if not isinstance(claims, dict):
        raise CredentialError(f"the {what} contains no claims")
    return claims


def _key(each: Any) -> Any:
    """Return a key of the set, or None if it cannot check signatures."""
    from joserfc.errors import JoseError
    from joserfc.jwk import import_key

    if not isinstance(each, dict) or each.get("kty") not in ("RSA", "EC", "OKP") or each.get("use", "sig") != "sig":
        return None
    try:
        return import_key(each)
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def _check_audience(claims: Mapping[str, Any], client_id: str, what: str) -> None:
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    # An ID token's audience is the client; an access token's is an API, and it names the client it was issued to.
    issued_to = claims.get("azp", claims.get("client_id"))
    if client_id not in named and issued_to != client_id:
        raise CredentialError(
            f"the {what} is for another client than `{client_id}`", hint="check `login.client_id` in the profile"
        )
    if len(named) > 1 and claims.get("azp", client_id) != client_id:
        raise CredentialError(f"the {what} was issued to another client than `{client_id}`")


def _is_time(value: Any) -> bool:
    """Return whether a value is a number of seconds; `NaN` would never expire, and no float holds a huge one."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < _LATEST
