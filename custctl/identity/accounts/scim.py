"""SCIM 2.0: Keycloak, Duende IdentityServer, Okta, Entra and others.

Sources: RFC 7643 (schema) and RFC 7644 (protocol). Some servers announce filters that they ignore, and drop attributes
that they do not know, so each answer is compared with the request. Others, such as canaille, refuse what they do not
know, so a refused request is sent again without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from custctl.identity.accounts.asking import CHECK, PAUSE, Repetition, patiently, seconds_to_wait
from custctl.identity.accounts.provider import (
    Abilities,
    Account,
    AccountMissingError,
    AccountTakenError,
    NewAccount,
    ProviderCredentialError,
    ProviderRefusedError,
    ProviderUnavailableError,
)
from custctl.support.errors import CredentialError, InvalidError, UnavailableError
from custctl.support.urls import url_host
from custctl.support.web import Web, json_of

if TYPE_CHECKING:
    import httpx

    from custctl.profiles import Identity
    from custctl.profiles.credentials import Secret

_USER = "urn:ietf:params:scim:schemas:core:2.0:User"
_PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
_TYPE = "application/scim+json"
_PAGE = 100
_FEW = 20  # accounts to examine to learn whether references are stored
_SLACK = 1000  # accounts beyond twice the announced number that a list may contain: some may be created meanwhile


def open_provider(settings: Identity, secret: Secret | None, timeout: float) -> Scim:
    """Open the server that a profile names; see `custctl.identity.accounts.opening.Opener`."""
    assert settings.url is not None
    ca = str(settings.tls_ca) if settings.tls_ca is not None else None
    return Scim(settings.url, secret.reveal() if secret is not None else "", timeout, ca)


class Scim:
    """A SCIM server; see `Provider`.

    Args:
        url: its base URL.
        token: the bearer token.
        timeout: seconds for one request.
        ca: a file of certificates to trust instead of the system's.
    """

    def __init__(self, url: str, token: str, timeout: float, ca: str | None = None) -> None:
        self.name = f"scim {url_host(url)}"
        headers = {"Authorization": f"Bearer {token}", "Accept": f"{_TYPE}, application/json"}
        self._web = Web(url.rstrip("/") + "/", timeout=timeout, ca=ca, headers=headers)
        self._keeps_reference: bool | None = None
        self._takes_count = True

    # -- what it can do ----------------------------------------------------------------------------

    @cached_property
    def _config(self) -> Mapping[str, Any]:
        """The server's description of itself; empty if it has none."""
        answer = self._send("GET", "ServiceProviderConfig", refused=(404, 501))
        return answer if answer is not None else {}

    def _supports(self, what: str) -> bool:
        told = self._config.get(what)
        return isinstance(told, Mapping) and told.get("supported") is True

    def abilities(self) -> Abilities:
        """See `Provider`. The server stores references if an existing account has one."""
        if self._keeps_reference is None:
            first = self._page(1, _FEW)[0]
            self._keeps_reference = any(isinstance(each.get("externalId"), str) for each in first)
        return Abilities(
            keeps_reference=self._keeps_reference,
            sets_passwords=True,
            sends_resets=False,
            takes_hashes=False,
            searches=self._supports("filter"),
        )

    # -- looking -----------------------------------------------------------------------------------

    def find(self, subject: str) -> Account | None:
        """See `Provider`."""
        found = self._resource(subject)
        return _account(found) if found is not None else None

    def find_by_email(self, email: str) -> Sequence[Account]:
        """See `Provider`."""
        wanted = email.casefold()

        def has_it(resource: Mapping[str, Any]) -> bool:
            return wanted in {each.casefold() for each in (_text(resource, "userName"), *_emails(resource)) if each}

        quoted = _quoted(email)
        either = f"userName eq {quoted} or emails.value eq {quoted}"
        return self._matching([either, f"userName eq {quoted}"], has_it)

    def find_by_reference(self, reference: str) -> Sequence[Account]:
        """See `Provider`."""
        if self._keeps_reference is False:
            return []
        found = self._matching(
            [f"externalId eq {_quoted(reference)}"], lambda resource: resource.get("externalId") == reference
        )
        if found:
            self._keeps_reference = True
        return found

    def _matching(self, filters: Sequence[str], fits: Callable[[Mapping[str, Any]], bool]) -> list[Account]:
        """Return the accounts that fit, using the first supported filter, or else by reading all accounts."""
        if self._supports("filter"):
            for each in filters:
                found: list[Mapping[str, Any]] = []
                try:
                    for page in self._listed(partial(self._page, count=_PAGE, filter=each)):
                        found += [resource for resource in page if fits(resource)]
                except _UnknownFilterError:
                    continue
                return list(map(_account, found))
        everything = partial(self._page, count=_PAGE)
        return [_account(resource) for page in self._listed(everything) for resource in page if fits(resource)]

    def pages(self, wait: Callable[[float], None]) -> Iterator[Sequence[Account]]:
        """See `Provider`."""
        for page in self._listed(lambda start: patiently(lambda: self._page(start, _PAGE), wait)):
            yield [_account(resource) for resource in page]

    def _listed(
        self, page_from: Callable[[int], tuple[list[Mapping[str, Any]], int]]
    ) -> Iterator[list[Mapping[str, Any]]]:
        """Yield the pages of a list.

        Args:
            page_from: returns the page that begins with this account, and how many accounts there are.

        Raises:
            ProviderRefusedError: the server repeats itself, or returns more accounts than there can be.
        """
        start, most, pages = 1, 0, Repetition()
        while True:
            page, total = page_from(start)
            most = most or 2 * total + _SLACK
            if not page:
                return
            if pages.is_known({str(resource.get("id")) for resource in page}) or start > most:
                raise ProviderRefusedError(f"{self.name} does not paginate its list: it shows the same accounts again")
            yield page
            start += len(page)
            if start > total:
                return

    def _page(self, start: int, count: int, filter: str | None = None) -> tuple[list[Mapping[str, Any]], int]:
        params = {"startIndex": str(start), **({"filter": filter} if filter is not None else {})}
        ask = partial(self._send, "GET", "Users", refused=(400,) if filter is not None else ())
        try:
            answer = ask(params={**params, "count": str(count)} if self._takes_count else params)
        except _FaultError:
            if not self._takes_count:
                raise
            # The fault may be in how the server reads `count`; without it, the server chooses the size of a page.
            answer = ask(params=params)
            self._takes_count = False
        if answer is None:
            raise _UnknownFilterError
        found, total = answer.get("Resources") or [], answer.get("totalResults")
        if not isinstance(found, list) or not all(isinstance(each, Mapping) for each in found):
            raise self._nonsense()
        return found, total if isinstance(total, int) else len(found)

    def _resource(self, subject: str) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = self._send("GET", _path(subject), refused=(404,))
        if found is not None and found.get("id") != subject:
            raise self._nonsense()
        return found

    # -- acting ------------------------------------------------------------------------------------

    def create(self, account: NewAccount) -> Account:
        """See `Provider`."""
        name = f"{account.first_name} {account.last_name}"
        resource = {
            "schemas": [_USER],
            "userName": account.email,
            "externalId": account.reference,
            "name": {"formatted": name, "givenName": account.first_name, "familyName": account.last_name},
            "displayName": name,
            "emails": [{"value": account.email, "type": "work", "primary": True}],
            "active": account.enabled,
        }
        answer = self._written(resource, lambda content: self._answer("POST", "Users", json=content))
        if self._is_taken(answer):
            raise AccountTakenError(f"{self.name} has an account with this email already")
        made = _account(self._content(answer))
        self._keeps_reference = made.reference == account.reference
        if made.email.casefold() != account.email.casefold():
            raise self._nonsense()
        return made

    def set_email(self, subject: str, email: str) -> None:
        """See `Provider`. The account's other addresses stay."""

        def change(resource: Mapping[str, Any]) -> dict[str, Any]:
            held = [each for each in resource.get("emails") or [] if isinstance(each, Mapping)]
            at = next((at for at, each in enumerate(held) if each.get("primary") is True), 0)
            first = {"type": "work", **held[at]} if held else {"type": "work"}
            others = [{**each, "primary": False} for place, each in enumerate(held) if place != at]
            others = [each for each in others if str(each.get("value", "")).casefold() != email.casefold()]
            return {"userName": email, "emails": [{**first, "value": email, "primary": True}, *others]}

        self._change(subject, change)

    def set_enabled(self, subject: str, enabled: bool) -> None:
        """See `Provider`."""
        self._change(subject, lambda _: {"active": enabled})

    def set_password(self, subject: str, password: str) -> None:
        """See `Provider`. The server's message is not shown, because it may quote the password."""
        try:
            self._change(subject, lambda _: {"password": password})
        except _InvalidValueError:
            raise InvalidError(
                f"{self.name} does not accept the password", hint="its rules may ask for a longer or more varied one"
            ) from None

    def send_reset(self, subject: str) -> None:
        """See `Provider`; SCIM has no resets."""
        raise ProviderRefusedError(f"{self.name} cannot send resets: SCIM has none", hint="let its owner ask for one")

    def delete(self, subject: str) -> None:
        """See `Provider`."""
        self._send("DELETE", _path(subject), refused=(404,))

    def close(self) -> None:
        """See `Provider`."""
        self._web.close()

    def _change(self, subject: str, change: Callable[[Mapping[str, Any]], dict[str, Any]]) -> None:
        """Change attributes of the current account; retry once if it was changed meanwhile."""
        for last in (False, True):
            resource = self._resource(subject)
            if resource is None:
                raise AccountMissingError(f"{self.name} has no account `{subject}`")
            wanted = change(resource)
            version = _text(resource.get("meta"), "version") if self._supports("etag") else None
            headers = {"If-Match": version} if version else {}
            answer = self._written(wanted, partial(self._send_change, resource, subject, headers))
            if answer.status_code == 412 and not last:
                continue
            self._check_changed(subject, answer, wanted)
            return

    def _send_change(
        self, resource: Mapping[str, Any], subject: str, headers: Mapping[str, str], wanted: Mapping[str, Any]
    ) -> httpx.Response:
        if not self._supports("patch") and self._config:
            return self._answer("PUT", _path(subject), json={**resource, **wanted}, headers=headers)
        operations = [{"op": "replace", "path": path, "value": value} for path, value in wanted.items()]
        body = {"schemas": [_PATCH], "Operations": operations}
        return self._answer("PATCH", _path(subject), json=body, headers=headers)

    def _written(
        self, content: Mapping[str, Any], write: Callable[[Mapping[str, Any]], httpx.Response]
    ) -> httpx.Response:
        """Write attributes; if they are refused, write them again without `type` and `primary` of the addresses."""
        answer = write(content)
        if answer.status_code == 400 and "emails" in content and not self._is_taken(answer):
            answer = write({**content, "emails": [{"value": each.get("value")} for each in content["emails"]]})
        return answer

    def _is_taken(self, answer: httpx.Response) -> bool:
        return answer.status_code == 409 or (answer.status_code == 400 and self._kind(answer) == "uniqueness")

    def _check_changed(self, subject: str, answer: httpx.Response, wanted: Mapping[str, Any]) -> None:
        if answer.status_code == 404:
            raise AccountMissingError(f"{self.name} has no account `{subject}`")
        if self._is_taken(answer):
            raise AccountTakenError(f"{self.name} has another account with this email")
        if answer.status_code == 400 and "password" in wanted:
            raise _InvalidValueError
        if answer.status_code == 204:
            return
        told = self._content(answer)
        shown = {name: value for name, value in wanted.items() if name in ("userName", "active")}
        for name, value in shown.items():
            if name in told and str(told[name]).casefold() != str(value).casefold():
                raise ProviderRefusedError(f"{self.name} says that it has changed `{name}`, but has not")

    # -- requests ----------------------------------------------------------------------------------

    def _send(self, method: str, path: str, *, refused: Sequence[int] = (), **content: Any) -> Any:
        """Send a request and return the content of the answer, or None if its status is one of `refused`."""
        answer = self._answer(method, path, **content)
        if answer.status_code in refused:
            return None
        empty = 200 <= answer.status_code < 300 and not answer.content
        return {} if empty else self._content(answer)

    def _answer(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **content: Any
    ) -> httpx.Response:
        told = dict(headers or {})
        if "json" in content:
            told["Content-Type"] = _TYPE
        try:
            answer = self._web.send(method, path, headers=told, **content)
        except UnavailableError as error:
            raise ProviderUnavailableError(f"{self.name}: {error.message}", hint=CHECK) from None
        except CredentialError as error:
            raise ProviderCredentialError(f"{self.name}: {error.message}", hint=error.hint) from None
        status = answer.status_code
        if status in (401, 403):
            what = (
                "does not accept the secret" if status == 401 else f"does not allow `{method} {path.partition('/')[0]}`"
            )
            hint = "`custctl credential set --for identity` stores another one"
            raise ProviderCredentialError(f"{self.name} {what}", hint=hint)
        if status == 429 or status >= 500:
            what = "asks for fewer requests" if status == 429 else "has a fault of its own"
            pause = seconds_to_wait(answer.headers, PAUSE if status == 429 else None)
            kind = _FaultError if status == 500 else ProviderUnavailableError
            raise kind(f"{self.name} {what} (status {status})", retry_after=pause)
        return answer

    def _content(self, answer: httpx.Response) -> dict[str, Any]:
        """Return the object in an answer.

        Raises:
            ProviderRefusedError: the request was refused.
            ProviderUnavailableError: the answer is not SCIM.
        """
        status = answer.status_code
        if not 200 <= status < 300:
            kind = self._kind(answer)
            raise ProviderRefusedError(
                f"{self.name} refuses the request (status {status}{f', {kind}' if kind else ''})"
            )
        try:
            found = json_of(answer)
        except ValueError:
            raise self._nonsense() from None
        if not isinstance(found, dict):
            raise self._nonsense()
        return found

    def _kind(self, answer: httpx.Response) -> str | None:
        """Return the RFC's keyword for why a request was refused; the server's own message may quote anything."""
        try:
            found = json_of(answer)
        except ValueError:
            return None
        kind = found.get("scimType") if isinstance(found, dict) else None
        return kind if isinstance(kind, str) and kind.isalpha() and len(kind) < 40 else None

    def _nonsense(self) -> ProviderUnavailableError:
        return ProviderUnavailableError(f"{self.name} gave an answer that does not fit the request, or is not SCIM")


class _UnknownFilterError(Exception):
    pass


class _FaultError(ProviderUnavailableError):
    """The server answers with status 500."""


class _InvalidValueError(Exception):
    pass


def _path(subject: str) -> str:
    return f"Users/{quote(subject, safe='')}"


def _quoted(text: str) -> str:
    """Return a text quoted for a filter. RFC 7644, 3.4.2.2: as in JSON."""
    import json

    return json.dumps(text, ensure_ascii=False)


def _text(resource: Any, name: str) -> str | None:
    value = resource.get(name) if isinstance(resource, Mapping) else None
    return value if isinstance(value, str) else None


def _emails(resource: Mapping[str, Any]) -> list[str]:
    """Return the addresses of an account, the primary one first."""
    found = [each for each in resource.get("emails") or [] if isinstance(each, Mapping) and _text(each, "value")]
    found.sort(key=lambda each: each.get("primary") is not True)
    return [str(each["value"]) for each in found]


def _account(resource: Mapping[str, Any]) -> Account:
    subject, name = _text(resource, "id"), _text(resource, "userName")
    if not subject:
        raise ProviderUnavailableError("the SCIM server shows an account without an id")
    emails = _emails(resource)
    # An account is enabled unless the server says otherwise; Entra sends the value as text.
    enabled = str(resource.get("active", True)).casefold() != "false"
    return Account(subject, emails[0] if emails else name or "", enabled, _text(resource, "externalId"))
