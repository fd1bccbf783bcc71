"""Auth0: the users of one database connection, through the Management API.

Source: https://auth0.com/docs/api/management/v2
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from custctl.identity.accounts.asking import Reply, patiently, unclear
from custctl.identity.accounts.auth0_imports import fitting, import_hashes
from custctl.identity.accounts.auth0_tenant import REFERENCE, Tenant, described, subject_of, words_of
from custctl.identity.accounts.hashes import HashedAccount, Verdict
from custctl.identity.accounts.made_passwords import make_password
from custctl.identity.accounts.provider import (
    Abilities,
    Account,
    AccountMissingError,
    AccountTakenError,
    NewAccount,
    ProviderRefusedError,
)
from custctl.support.errors import InvalidError

if TYPE_CHECKING:
    from custctl.profiles import Identity
    from custctl.profiles.credentials import Secret

PAGE: Final = 100
"""Maximum users on one page."""
WINDOW: Final = 1000
"""Maximum users that one search returns over all its pages."""

_FIELDS = "user_id,email,email_verified,blocked,created_at,app_metadata,identities"


def open_provider(settings: Identity, secret: Secret | None, timeout: float) -> Auth0:
    """Return the connection that a profile names.

    Args:
        settings: the profile's `identity` section.
        secret: the client's secret.
        timeout: seconds for one request.

    Raises:
        ProviderCredentialError: there is no secret.
    """
    assert settings.domain is not None
    assert settings.connection is not None
    assert settings.client_id is not None
    return Auth0(
        Tenant(
            settings.domain,
            settings.connection,
            client_id=settings.client_id,
            secret=secret.reveal() if secret is not None else None,
            endpoint=settings.endpoint,
            timeout=timeout,
            ca=str(settings.tls_ca) if settings.tls_ca else None,
        )
    )


class Auth0:
    """The users of one database connection.

    Args:
        tenant: the tenant that requests go to; it knows the connection.
    """

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.name = tenant.name

    def abilities(self) -> Abilities:
        """Return what Auth0 can do, after checking that the client may ask it and that the connection exists."""
        self.tenant.connection_id()
        return Abilities(keeps_reference=True, sets_passwords=True, sends_resets=True, takes_hashes=True)

    # -- looking -----------------------------------------------------------------------------------

    def find(self, subject: str) -> Account | None:
        """Return the account with a subject."""
        found = self.tenant.read(subject)
        return _account(found) if found is not None else None

    def find_by_email(self, email: str) -> Sequence[Account]:
        """Return the accounts with an email; database connections keep emails in lower case."""
        reply = self.tenant.ask("GET", "users-by-email", params={"email": email.lower()})
        accounts = [_account(user) for user in self.tenant.users(reply) if self.tenant.has(user)]
        return [account for account in accounts if account.email.casefold() == email.casefold()]

    def find_by_reference(self, reference: str) -> Sequence[Account]:
        """Return the account whose id was derived from the reference."""
        account = self.find(subject_of(reference))
        return [account] if account is not None and account.reference == reference else []

    def pages(self, wait: Callable[[float], None]) -> Iterator[Sequence[Account]]:
        """Yield all accounts, in pages; see `Provider`.

        A search returns at most 1,000 users, so each search starts at the creation time of the last user before it.
        Paging by number would skip a user if another one is deleted meanwhile.
        """
        last, page, known = "*", 0, set[str]()
        while True:
            users, started = patiently(partial(self._search, last, page), wait), last
            fresh = []
            for user in users:
                created = str(user["created_at"])
                if created != last:
                    last, known = created, set()
                if user["user_id"] not in known:
                    known.add(user["user_id"])
                    fresh.append(_account(user))
            if fresh:
                yield fresh
            if len(users) < PAGE:
                return
            page = page + 1 if last == started else 0
            if page == WINDOW // PAGE:
                message = f"{self.name} has more than {WINDOW} users created at {last}, and lists no more of them"
                raise ProviderRefusedError(message, hint="ask Auth0's support for a list of them")

    def _search(self, last: str, page: int) -> list[dict[str, Any]]:
        since = "*" if last == "*" else f'"{last}"'
        connection = self.tenant.connection.replace("\\", "\\\\").replace('"', '\\"')
        asked = {
            "q": f'identities.connection:"{connection}" AND created_at:[{since} TO *]',
            "search_engine": "v3",
            "sort": "created_at:1",
            "per_page": PAGE,
            "page": page,
            "fields": _FIELDS,
            "include_fields": "true",
        }
        users = self.tenant.users(self.tenant.ask("GET", "users", params=asked))
        for user in users:
            if not isinstance(user.get("created_at"), str) or not self.tenant.has(user):
                raise unclear(self.name, "other users than those that were asked for")
        if any(last != "*" and user["created_at"] < last for user in users):
            raise unclear(self.name, "other users than those that were asked for")
        return users

    # -- changing ----------------------------------------------------------------------------------

    def create(self, account: NewAccount) -> Account:
        """Create an account with a password that nobody knows, and send nothing."""
        document = {
            **described(account),
            "connection": self.tenant.connection,
            "password": make_password(),
            "verify_email": False,
        }
        reply = self.tenant.ask("POST", "users", json=document)
        if reply.status == 409:
            raise AccountTakenError(f"{self.name} has an account with this email or id already")
        found = self.tenant.user(reply, 201)
        if found.get("user_id") != subject_of(account.reference):
            raise unclear(self.name, "another user than the one that was asked for")
        return _account(found)

    def set_email(self, subject: str, email: str) -> None:
        """Change an account's email, and mark it as verified."""
        changes = {"email": email, "email_verified": True, "verify_email": False, "connection": self.tenant.connection}
        reply = self._patch(subject, changes)
        if reply.status == 409 or (reply.status == 400 and "already exists" in words_of(reply)):
            raise AccountTakenError(f"{self.name} has another account with this email")
        self.tenant.user(reply, 200)

    def set_enabled(self, subject: str, enabled: bool) -> None:
        """Block an account, or unblock it."""
        self.tenant.user(self._patch(subject, {"blocked": not enabled}), 200)

    def set_password(self, subject: str, password: str) -> None:
        """Set a permanent password."""
        reply = self._patch(subject, {"password": password, "connection": self.tenant.connection})
        words = words_of(reply).replace(password, "…")
        if reply.status == 400 and "password" in words.lower():
            raise InvalidError(f"{self.name} refuses the password: {words}", details={"fields": {"password": words}})
        self.tenant.user(reply, 200, password)

    def _patch(self, subject: str, changes: Mapping[str, Any]) -> Reply:
        reply = self.tenant.ask("PATCH", f"users/{quote(subject, safe='')}", json=changes)
        if reply.status == 404:
            raise AccountMissingError(f"{self.name} has no account `{subject}`")
        return reply

    def delete(self, subject: str) -> None:
        """Delete an account."""
        reply = self.tenant.ask("DELETE", f"users/{quote(subject, safe='')}")
        if reply.status not in (204, 404):
            raise self.tenant.refused(reply)

    def send_reset(self, subject: str) -> None:
        """Ask Auth0 to mail a link for setting a new password; the old password stays valid until then."""
        account = self.find(subject)
        if account is None:
            raise AccountMissingError(f"{self.name} has no account `{subject}`")
        self.tenant.send_reset(account.email)

    # -- hashes ------------------------------------------------------------------------------------

    def fitting(self, accounts: Sequence[HashedAccount]) -> int:
        """Return how many of the accounts, from the first on, fit into one import."""
        return fitting(accounts)

    def take_hashes(self, accounts: Sequence[HashedAccount], wait: Callable[[float], None]) -> Mapping[str, Verdict]:
        """Create accounts that keep their owners' passwords."""
        return import_hashes(self.tenant, accounts, wait)

    def close(self) -> None:
        """Close the connections."""
        self.tenant.close()


def _account(user: Mapping[str, Any]) -> Account:
    metadata = user.get("app_metadata")
    reference = metadata.get(REFERENCE) if isinstance(metadata, dict) else None
    reference = reference if isinstance(reference, str) else None
    return Account(user["user_id"], str(user.get("email") or ""), user.get("blocked") is not True, reference)
