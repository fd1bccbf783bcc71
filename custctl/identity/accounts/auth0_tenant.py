"""An Auth0 tenant: the client's login, requests to the Management API, and what its answers mean.

Source: https://auth0.com/docs/api/management/v2
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from custctl.identity.accounts.asking import Reply, ask, unclear
from custctl.identity.accounts.provider import NewAccount, ProviderCredentialError, ProviderRefusedError
from custctl.support.web import Web

REFERENCE: Final = "custctl_reference"
"""The key in `app_metadata` that holds the reference; users cannot write it."""

_STRATEGY = "auth0"  # the strategy of database connections; their users' ids begin with it


class Tenant:
    """Requests to a tenant about the users of one connection, as a client with its own credential.

    Args:
        domain: the tenant's own domain, not a custom one: the token is issued for it.
        connection: the database connection's name, such as `Username-Password-Authentication`.
        client_id: a machine-to-machine application that may use the Management API.
        secret: the client's secret.
        endpoint: the URL to use instead of the domain's.
        timeout: seconds for one request.
        ca: a file of certificates to trust instead of the system's.
    """

    def __init__(
        self,
        domain: str,
        connection: str,
        *,
        client_id: str,
        secret: str | None,
        endpoint: str | None = None,
        timeout: float,
        ca: str | None = None,
    ) -> None:
        if secret is None:
            message = f"there is no secret for the client `{client_id}` of auth0 {domain}"
            raise ProviderCredentialError(message, hint="store it with `custctl credential set --for identity`")
        self.name = f"auth0 {domain}"
        self.connection = connection
        self.client_id = client_id
        self._domain = domain
        self._secret = secret
        self._web = Web(endpoint or f"https://{domain}", timeout=timeout, ca=ca)
        self._token: str | None = None
        self._connection_id: str | None = None

    def ask(self, method: str, path: str, **content: Any) -> Reply:
        """Send a request to the Management API; renew an expired token once.

        Raises:
            ProviderUnavailableError: the effect of the request is unknown, or a rate limit was reached.
            ProviderCredentialError: the client is refused, or lacks the permission.
        """
        reply = self._once(method, path, content)
        if reply.status == 401:
            self._token = None
            reply = self._once(method, path, content)
        if reply.status == 401:
            raise self._denied("refuses the token of", "authorize the client for the Auth0 Management API")
        if reply.status == 403:
            scopes = words_of(reply).rpartition("Insufficient scope, expected any of: ")[2]
            raise self._denied("does not allow this to", f"grant it the scopes of the Management API: {scopes}")
        return reply

    def connection_id(self) -> str:
        """Return the id of the connection; asks Auth0 once. Raises as `ask` does.

        Raises:
            ProviderRefusedError: there is no such connection.
        """
        if self._connection_id is None:
            reply = self.ask("GET", "connections", params={"name": self.connection, "strategy": _STRATEGY})
            if reply.status != 200 or not isinstance(reply.document, list):
                raise self.refused(reply)
            named = [each for each in reply.document if isinstance(each, dict) and each.get("name") == self.connection]
            if not named or not isinstance(named[0].get("id"), str):
                message = f"{self.name} has no database connection `{self.connection}`"
                raise ProviderRefusedError(message, hint="check `connection` in the profile's `identity`")
            self._connection_id = named[0]["id"]
        return self._connection_id

    def _once(self, method: str, path: str, content: Mapping[str, Any]) -> Reply:
        headers = {"Authorization": f"Bearer {self._token or self._new_token()}"}
        return ask(self._web, self.name, method, f"/api/v2/{path}", headers=headers, **content)

    def _new_token(self) -> str:
        """Ask for a token. Source: https://auth0.com/docs/secure/tokens/access-tokens/management-api-access-tokens"""
        document = {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self._secret,
            "audience": f"https://{self._domain}/api/v2/",
        }
        reply = ask(self._web, self.name, "POST", "/oauth/token", json=document)
        if reply.status in (400, 401, 403):
            hint = "store the client's secret again with `custctl credential set --for identity`, and check `client_id`"
            raise self._denied("refuses the login of", hint)
        token = reply.document.get("access_token") if isinstance(reply.document, dict) else None
        if reply.status != 200 or not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise unclear(self.name, f"status {reply.status} and no token")
        self._token = token
        return token

    def send_reset(self, email: str) -> None:
        """Ask the tenant to mail a password reset; its answer does not say whether the user exists."""
        document = {"client_id": self.client_id, "email": email, "connection": self.connection}
        # On success the body is a sentence, not JSON.
        reply = ask(self._web, self.name, "POST", "/dbconnections/change_password", json=document, text=True)
        if reply.status != 200:
            raise self.refused(reply)

    def read(self, subject: str) -> Mapping[str, Any] | None:
        """Return everything that Auth0 knows about a user of this connection, or None if there is no such user."""
        reply = self.ask("GET", f"users/{quote(subject, safe='')}")
        if reply.status == 404:
            return None
        found = self.user(reply, 200)
        if not self.has(found):
            return None
        if found["user_id"] != subject:
            raise unclear(self.name, "another user than the one that was asked for")
        return found

    def _denied(self, what: str, hint: str) -> ProviderCredentialError:
        return ProviderCredentialError(f"{self.name} {what} the client `{self.client_id}`", hint=hint)

    def close(self) -> None:
        """Close the connections, and forget the token."""
        self._token = None
        self._web.close()

    # -- answers -----------------------------------------------------------------------------------

    def user(self, reply: Reply, status: int, password: str | None = None) -> dict[str, Any]:
        """Return the user in an answer."""
        if reply.status != status:
            raise self.refused(reply, password)
        found = reply.document
        if not isinstance(found, dict) or not isinstance(found.get("user_id"), str):
            raise unclear(self.name, "no user as Auth0 documents it")
        return found

    def users(self, reply: Reply) -> list[dict[str, Any]]:
        """Return the users in an answer."""
        if reply.status != 200:
            raise self.refused(reply)
        found = reply.document
        if not isinstance(found, list) or not all(
            isinstance(user, dict) and isinstance(user.get("user_id"), str) for user in found
        ):
            raise unclear(self.name, "no list of users")
        return found

    def has(self, user: Mapping[str, Any]) -> bool:
        """Return whether a user belongs to this connection."""
        identities = user.get("identities")
        return isinstance(identities, list) and any(
            isinstance(each, dict) and each.get("connection") == self.connection for each in identities
        )

    def refused(self, reply: Reply, password: str | None = None) -> ProviderRefusedError:
        """Return the error for a refused request; if its message quotes the password, the password is removed."""
        words = words_of(reply)
        if password:
            words = words.replace(password, "…")
        return ProviderRefusedError(f"{self.name} refuses the request: {words or f'status {reply.status}'}")


def described(account: NewAccount) -> dict[str, Any]:
    """Return an account as it is created or imported, with a fixed id, so that a duplicate conflicts."""
    names = {"given_name": account.first_name, "family_name": account.last_name}
    return {
        "user_id": subject_of(account.reference).partition("|")[2],
        "email": account.email,
        "email_verified": True,
        "blocked": not account.enabled,
        "app_metadata": {REFERENCE: account.reference},
        **{key: value for key, value in names.items() if value},
    }


def subject_of(reference: str) -> str:
    """Return the `user_id` of the account for a reference; the form does not depend on what the reference contains."""
    return f"{_STRATEGY}|{reference.replace(':', '-')}"


def words_of(reply: Reply) -> str:
    """Return the error message in an answer."""
    found = reply.document if isinstance(reply.document, dict) else {}
    return str(found.get("message") or found.get("description") or found.get("error") or "").rstrip(".")
