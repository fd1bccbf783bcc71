"""Amazon Cognito user pools.

Source: https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from custctl.identity.accounts.asking import Repetition, patiently, unclear
from custctl.identity.accounts.aws import Chain, Fault, Service
from custctl.identity.accounts.made_passwords import make_password
from custctl.identity.accounts.provider import (
    Abilities,
    Account,
    AccountMissingError,
    AccountTakenError,
    NewAccount,
    ProviderRefusedError,
    ProviderUnavailableError,
)
from custctl.support.errors import InvalidError

if TYPE_CHECKING:
    from custctl.profiles import Identity
    from custctl.profiles.credentials import Secret

REFERENCE: Final = "custom:custctl_reference"
"""The attribute that holds the reference, in pools that have it."""
PAGE: Final = 60
"""Maximum accounts that one request lists."""

_EMPTY = 100  # pages without users in a row, after which a list is given up

_MISSING = "UserNotFoundException"
_TAKEN = frozenset({"UsernameExistsException", "AliasExistsException"})


def open_provider(settings: Identity, secret: Secret | None, timeout: float) -> Cognito:
    """Return the user pool that a profile names.

    Args:
        settings: the profile's `identity` section.
        secret: not used: credentials come from AWS's own chain.
        timeout: seconds for one request.
    """
    assert settings.pool is not None
    ca = str(settings.tls_ca) if settings.tls_ca else None
    return Cognito(settings.pool, region=settings.region, endpoint=settings.endpoint, timeout=timeout, ca=ca)


@dataclass(frozen=True, slots=True)
class _Pool:
    """How a pool is set up.

    Attributes:
        email_signs_in: whether users sign in with their email; the pool then generates the user names.
        folds_case: whether the pool ignores the case of user names and emails.
        has_reference: whether the pool has the attribute for the reference.
        least: minimum length of a password, in characters.
    """

    email_signs_in: bool
    folds_case: bool
    has_reference: bool
    least: int


@dataclass(frozen=True, slots=True)
class _User:
    account: Account
    username: str
    status: str
    modified: Any
    email_verified: bool


class Cognito:
    """A user pool.

    If users sign in with their email, the pool generates the user names, and the reference is an attribute, which
    cannot be searched. In other pools the reference is the user name.

    Args:
        pool: the pool's id, which begins with the region.
        region: the pool's region; by default the one in its id.
        endpoint: the URL to use instead of the region's.
        timeout: seconds for one request.
        ca: a file of certificates to trust instead of the system's.
        chain: where the credential comes from; by default AWS's own chain.
    """

    def __init__(
        self,
        pool: str,
        *,
        region: str | None = None,
        endpoint: str | None = None,
        timeout: float,
        ca: str | None = None,
        chain: Chain | None = None,
    ) -> None:
        self.name = f"cognito {pool}"
        self._id = pool
        self._service = Service(
            self.name,
            service="cognito-idp",
            prefix="AWSCognitoIdentityProviderService",
            region=region or pool.partition("_")[0],
            endpoint=endpoint,
            timeout=timeout,
            ca=ca,
            chain=chain,
        )

    def abilities(self) -> Abilities:
        """Return what the pool can do."""
        pool = self._pool
        keeps = pool.has_reference or not pool.email_signs_in
        return Abilities(keeps_reference=keeps, sets_passwords=True, sends_resets=True, takes_hashes=False)

    # -- looking -----------------------------------------------------------------------------------

    def find(self, subject: str) -> Account | None:
        """Return the account with a subject."""
        user = self._user(subject)
        return user.account if user is not None else None

    def find_by_email(self, email: str) -> Sequence[Account]:
        """Return the accounts with an email.

        In a case-sensitive pool, emails with capitals are not found.
        """
        wanted = email.casefold()
        found = {user.account.subject: user.account for user in self._search("email", email.lower())}
        if self._pool.email_signs_in and self._pool.folds_case:
            user = self._get(email)
            if user is not None:
                found[user.account.subject] = user.account
        return [account for account in found.values() if account.email.casefold() == wanted]

    def find_by_reference(self, reference: str) -> Sequence[Account]:
        """Return the account whose user name is the reference.

        If the reference is an attribute, nothing is found: `create` then reports that the email is taken, and
        `find_by_email` shows whose account it is.
        """
        if self._pool.email_signs_in:
            return []
        user = self._get(reference)
        return [user.account] if user is not None and user.account.reference == reference else []

    def pages(self, wait: Callable[[float], None]) -> Iterator[Sequence[Account]]:
        """Yield all accounts, in pages; see `Provider`."""
        for users in self._lists(lambda asked: patiently(lambda: self._list(asked), wait)):
            if users:
                yield [user.account for user in users]

    # -- changing ----------------------------------------------------------------------------------

    def create(self, account: NewAccount) -> Account:
        """Create an account that waits for a reset by its owner, and send nothing."""
        pool = self._pool
        attributes = {
            "email": account.email,
            # A reset is sent only to a verified email.
            "email_verified": "true",
            "given_name": account.first_name,
            "family_name": account.last_name,
        }
        if pool.has_reference:
            attributes[REFERENCE] = account.reference
        # Without ForceAliasCreation, which would move the email from the account that has it.
        document = {
            "Username": account.email if pool.email_signs_in else account.reference,
            "UserAttributes": [{"Name": name, "Value": value} for name, value in attributes.items() if value],
            "MessageAction": "SUPPRESS",
        }
        try:
            made = self._call("AdminCreateUser", document).get("User")
        except Fault as fault:
            if fault.kind in _TAKEN:
                raise AccountTakenError(f"{self.name} has an account with this email or user name already") from None
            raise self._refused(fault) from None
        user = self._read(made, "Attributes")
        if user.account.email.casefold() != account.email.casefold():
            raise unclear(self.name, "another account than the one that was asked for")
        if not account.enabled:
            self._change("AdminDisableUser", user.username)
        self._settle(user)
        return Account(user.account.subject, user.account.email, account.enabled, user.account.reference)

    def set_email(self, subject: str, email: str) -> None:
        """Change an account's email, and mark it as verified."""
        user = self._known(subject)
        if user.account.email == email and user.email_verified:
            return
        attributes = [{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}]
        try:
            self._call("AdminUpdateUserAttributes", {"Username": user.username, "UserAttributes": attributes})
        except Fault as fault:
            if fault.kind in _TAKEN:
                raise AccountTakenError(f"{self.name} has another account with this email") from None
            raise self._refused(fault) from None

    def set_enabled(self, subject: str, enabled: bool) -> None:
        """Enable or disable an account; disabling revokes its tokens."""
        user = self._known(subject)
        if user.account.enabled != enabled:
            self._change("AdminEnableUser" if enabled else "AdminDisableUser", user.username)

    def delete(self, subject: str) -> None:
        """Delete an account."""
        user = self._user(subject)
        if user is None:
            return
        try:
            self._call("AdminDeleteUser", {"Username": user.username})
        except Fault as fault:
            if fault.kind != _MISSING:
                raise self._refused(fault) from None

    def set_password(self, subject: str, password: str) -> None:
        """Set a permanent password."""
        user = self._known(subject)
        try:
            self._call("AdminSetUserPassword", {"Username": user.username, "Password": password, "Permanent": True})
        except Fault as fault:
            if fault.kind == _MISSING:
                self._look_again(user)
                return
            if fault.kind == "InvalidParameterException" and "password" in fault.message.lower():
                fault = Fault("InvalidPasswordException", fault.message)
            raise self._refused(fault, password) from None

    def _look_again(self, before: _User) -> None:
        """Check whether a password was set although AWS reported no such user, which it may do for existing users.

        Source: https://github.com/aws/aws-sdk-java/issues/2005
        """
        after = self._known(before.account.subject)
        if after.modified == before.modified:
            message = f"{self.name} finds the account, and yet not for its password"
            raise ProviderUnavailableError(message, hint="set the password again")

    def send_reset(self, subject: str) -> None:
        """Send the owner a code for setting a new password; the old password stops working now."""
        user = self._known(subject)
        self._settle(user)
        self._change("AdminResetUserPassword", user.username)

    def _settle(self, user: _User) -> None:
        """Set a password that nobody knows, so that the account's password can be reset."""
        if user.status in ("FORCE_CHANGE_PASSWORD", "UNCONFIRMED"):
            password = make_password(self._pool.least)
            document = {"Username": user.username, "Password": password, "Permanent": True}
            try:
                self._call("AdminSetUserPassword", document)
            except Fault as fault:
                raise self._refused(fault, password) from None

    def _change(self, operation: str, username: str) -> None:
        try:
            self._call(operation, {"Username": username})
        except Fault as fault:
            raise self._refused(fault) from None

    def close(self) -> None:
        """Close the connections."""
        self._service.close()

    # -- the pool and its users --------------------------------------------------------------------

    @cached_property
    def _pool(self) -> _Pool:
        try:
            found = self._call("DescribeUserPool", {}).get("UserPool")
        except Fault as fault:
            raise self._refused(fault) from None
        if not isinstance(found, dict) or found.get("Id") != self._id:
            raise unclear(self.name, "another pool than the one that was asked for")
        names = found.get("UsernameAttributes") or []
        if names and "email" not in names:
            message = f"{self.name} signs users in by phone number, which a customer need not have"
            raise ProviderRefusedError(message, hint="use a pool in which users sign in with their email")
        schema = {str(each.get("Name")) for each in found.get("SchemaAttributes") or []}
        policy = (found.get("Policies") or {}).get("PasswordPolicy") or {}
        # A pool without this setting is old, and case-sensitive.
        folds = (found.get("UsernameConfiguration") or {}).get("CaseSensitive") is False
        return _Pool(bool(names), folds, REFERENCE in schema, int(policy.get("MinimumLength") or 0))

    def _known(self, subject: str) -> _User:
        user = self._user(subject)
        if user is None:
            raise AccountMissingError(f"{self.name} has no account `{subject}`")
        return user

    def _user(self, subject: str) -> _User | None:
        """Return a user by subject, which is the user name only if the pool generates the names."""
        if self._pool.email_signs_in:
            user = self._get(subject)
            if user is not None and user.account.subject == subject:
                return user
        # Users of another provider behind the pool have other user names.
        return next((user for user in self._search("sub", subject) if user.account.subject == subject), None)

    def _get(self, username: str) -> _User | None:
        try:
            found = self._call("AdminGetUser", {"Username": username})
        except Fault as fault:
            if fault.kind == _MISSING:
                return None
            raise self._refused(fault) from None
        return self._read(found, "UserAttributes")

    def _search(self, attribute: str, value: str) -> Iterator[_User]:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        filter = {"Filter": f'{attribute} = "{escaped}"'}
        for users in self._lists(lambda asked: self._list({**filter, **asked})):
            yield from users

    def _lists(self, page: Callable[[Mapping[str, Any]], tuple[list[_User], str | None]]) -> Iterator[list[_User]]:
        """Yield pages.

        Args:
            page: returns the page that the given fields ask for, and the token of the next one.

        Raises:
            ProviderUnavailableError: the pool repeats itself, or many pages in a row are empty.
        """
        users, token = page({"Limit": PAGE})
        yield users
        pages, empty = Repetition(), 0
        while token:
            if pages.is_known({user.account.subject for user in users} or token):
                raise unclear(self.name, "the same page twice")
            empty = 0 if users else empty + 1
            if empty == _EMPTY:
                raise unclear(self.name, f"{_EMPTY} pages without users in a row")
            users, token = page({"Limit": PAGE, "PaginationToken": token})
            yield users

    def _list(self, asked: Mapping[str, Any]) -> tuple[list[_User], str | None]:
        try:
            found = self._call("ListUsers", asked)
        except Fault as fault:
            raise self._refused(fault) from None
        users = found.get("Users")
        if not isinstance(users, list):
            raise unclear(self.name, "no list of users")
        return [self._read(each, "Attributes") for each in users], found.get("PaginationToken")

    def _read(self, found: Any, key: str) -> _User:
        """Return the user in an answer."""
        try:
            attributes = {str(each["Name"]): str(each.get("Value", "")) for each in found[key]}
            username, enabled = str(found["Username"]), found.get("Enabled", True)
            subject = attributes["sub"]
        except (KeyError, TypeError, AttributeError):
            raise unclear(self.name, "no user as AWS documents it") from None
        pool = self._pool
        reference = attributes.get(REFERENCE) if pool.email_signs_in else username
        return _User(
            Account(subject, attributes.get("email", ""), enabled is not False, reference),
            username,
            str(found.get("UserStatus", "")),
            found.get("UserLastModifiedDate"),
            attributes.get("email_verified") == "true",
        )

    def _call(self, operation: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._service.call(operation, {"UserPoolId": self._id, **document})

    def _refused(self, fault: Fault, password: str | None = None) -> Exception:
        """Return the error for a fault; if its message quotes the password, the password is removed."""
        words = fault.message or fault.kind
        if password:
            words = words.replace(password, "…")
        words = words.rstrip(".")
        if fault.kind == _MISSING:
            return AccountMissingError(f"{self.name} does not have this account any more")
        if fault.kind == "InvalidPasswordException":
            return InvalidError(f"{self.name} refuses the password: {words}", details={"fields": {"password": words}})
        if fault.kind == "LimitExceededException":
            return ProviderUnavailableError(f"{self.name}: {words}")
        if fault.kind == "ResourceNotFoundException":
            hint = "check `pool` and `region` in the profile's `identity`"
            return ProviderRefusedError(f"{self.name} does not exist", hint=hint)
        return ProviderRefusedError(f"{self.name} refuses the request: {words}")
