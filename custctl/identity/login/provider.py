"""An identity provider: its metadata, its keys, and requests to its endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from custctl.support.errors import CredentialError, UnavailableError
from custctl.support.text import visible
from custctl.support.urls import is_private
from custctl.support.web import Web, json_of

if TYPE_CHECKING:
    from httpx import Response

    from custctl.profiles.model import Login

_TIMEOUT = 10.0  # seconds per request
_LONGEST = 200  # maximum characters of a provider's own message
# What to do instead of what needs the endpoint.
_INSTEAD = {"device_authorization_endpoint": "log in on a machine with a browser, without `--device`"}
# What to do about an error code. Source: RFC 6749, 5.2.
_AT_THE_PROVIDER = {
    "invalid_client": "check `login.client_id` in the profile, and a job's secret or key",
    "invalid_scope": "check `login.scopes` in the profile",
    "unauthorized_client": "let the identity provider allow this kind of login for the client",
}


class OAuthError(CredentialError):
    """The provider refused a request.

    Attributes:
        code: the error code, such as `invalid_grant`.
    """

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint, details={"oauth_error": code})
        self.code = code


class Provider:
    """The identity provider of a profile's operators.

    Args:
        login: the profile's `login` section.
    """

    def __init__(self, login: Login) -> None:
        self.login = login
        self._web = Web(login.issuer, timeout=_TIMEOUT)

    @cached_property
    def metadata(self) -> Mapping[str, Any]:
        """The provider's metadata. Source: OpenID Connect Discovery 1.0, 4.

        Raises:
            UnavailableError: the provider does not answer.
            CredentialError: the answer is not this issuer's.
        """
        try:
            url = f"{self.login.issuer.rstrip('/')}/.well-known/openid-configuration"
            found = self._json(self._web.send("GET", url))
        except UnavailableError as error:
            error.hint = error.hint or "check `login.issuer` in the profile, and `HTTPS_PROXY`"
            raise
        if found.get("issuer") != self.login.issuer:
            raise CredentialError(
                f"`{self.login.issuer}` says that its issuer is `{visible(str(found.get('issuer')))[:_LONGEST]}`",
                hint="write `login.issuer` exactly as the provider does",
            )
        return found

    @cached_property
    def keys(self) -> Mapping[str, Any]:
        """The provider's JSON Web Key Set. Raises as `metadata` does."""
        return self._json(self._web.send("GET", self.endpoint("jwks_uri")))

    def endpoint(self, name: str) -> str:
        """Return the URL of an endpoint.

        Raises:
            CredentialError: the provider has no such endpoint, or it does not use HTTPS.
        """
        url = self.metadata.get(name)
        if not isinstance(url, str):
            raise CredentialError(f"`{self.login.issuer}` has no `{name}`", hint=_INSTEAD.get(name))
        if not is_private(url):
            raise CredentialError(f"the `{name}` of `{self.login.issuer}` is not an `https` URL")
        return url

    def offers(self, name: str) -> bool:
        """Return whether the provider has an endpoint."""
        return isinstance(self.metadata.get(name), str)

    def post(self, name: str, fields: Mapping[str, str]) -> Mapping[str, Any]:
        """Send a form to an endpoint and return the answer.

        Raises:
            OAuthError: the provider refused.
            UnavailableError: no answer came, or an unusable one.
        """
        response = self._web.send(
            "POST", self.endpoint(name), data=dict(fields), headers={"Accept": "application/json"}
        )
        if response.is_success:
            return self._json(response) if response.content.strip() else {}
        try:
            answer = json_of(response)
        except ValueError:
            answer = None
        code = answer.get("error") if isinstance(answer, dict) else None
        if not isinstance(code, str):
            raise UnavailableError(f"`{self._web.host}` answered with status {response.status_code}")
        said = answer.get("error_description")
        words = f": {visible(said)[:_LONGEST]}" if isinstance(said, str) and not _quotes(said, fields) else ""
        message = f"`{self._web.host}` refused: {visible(code)[:_LONGEST]}{words}"
        raise OAuthError(code, message, hint=_AT_THE_PROVIDER.get(code))

    def user_info(self, access_token: str) -> Mapping[str, Any]:
        """Return the provider's claims about an access token's user; empty if there are none."""
        if not self.offers("userinfo_endpoint"):
            return {}
        headers = {"Authorization": f"Bearer {access_token}"}
        response = self._web.send("GET", self.endpoint("userinfo_endpoint"), headers=headers)
        return self._json(response) if response.is_success else {}

    def close(self) -> None:
        """Close the connections."""
        self._web.close()

    def _json(self, response: Response) -> Mapping[str, Any]:
        if not response.is_success:
            raise UnavailableError(f"`{self._web.host}` answered with status {response.status_code}")
        try:
            found = json_of(response)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise UnavailableError(f"`{self._web.host}` answered with something other than a JSON object")
        return found


def _quotes(said: str, fields: Mapping[str, str]) -> bool:
    """Return whether a provider's message quotes what was sent, which may be a token."""
    return any(len(value) > 8 and value in said for value in fields.values())
