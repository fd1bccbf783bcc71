"""The interface that every identity provider implements."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from custctl.support.errors import CredentialError, CustctlError, ExitCode, UnavailableError


@dataclass(frozen=True, slots=True)
class Account:
    """An account as the provider has just returned it.

    Attributes:
        subject: its permanent id at the provider: Cognito's `sub`, Auth0's `user_id`, SCIM's `id`.
        email: as the provider writes it.
        enabled: whether its owner can log in.
        reference: the mark that `create` left on it; None if it has none, or the provider stores none.
    """

    subject: str
    email: str
    enabled: bool
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class NewAccount:
    """The data of an account to create. It gets no password: its owner sets one through a reset.

    Attributes:
        reference: marks the account as one customer's, `<database's id>:<customer's id>`, so that a run that was killed
            before the answer came can find it again.
    """

    reference: str
    email: str
    first_name: str
    last_name: str
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a provider can do.

    Attributes:
        keeps_reference: whether it stores the reference and returns it.
        sets_passwords: whether `set_password` works.
        sends_resets: whether `send_reset` works.
        takes_hashes: whether it can import argon2id hashes.
        searches: whether a search is one request; otherwise it reads all accounts.
    """

    keeps_reference: bool
    sets_passwords: bool
    sends_resets: bool
    takes_hashes: bool
    searches: bool = True


class Provider(Protocol):
    """An identity provider.

    Every call may raise `ProviderUnavailableError` (its effect is unknown), `ProviderRefusedError` and
    `CredentialError`. Implementations compare each answer with the request, so that a server that ignores a filter
    cannot return somebody else's account.
    """

    name: str
    """Its name in messages, unique among providers of its kind: `cognito eu-west-1_AbCdEfGhI`."""

    def abilities(self) -> Abilities:
        """Return what the provider can do; may send one request."""

    def find(self, subject: str) -> Account | None:
        """Return the account with a subject, or None if there is no such account."""

    def find_by_email(self, email: str) -> Sequence[Account]:
        """Return all accounts with an email, ignoring case."""

    def find_by_reference(self, reference: str) -> Sequence[Account]:
        """Return all accounts with a reference; empty if the provider stores no references."""

    def create(self, account: NewAccount) -> Account:
        """Create an account.

        Raises:
            AccountTakenError: an account with this email or this reference exists.
        """

    def set_email(self, subject: str, email: str) -> None:
        """Change an account's email, and mark it as confirmed.

        Raises:
            AccountTakenError: another account has this email.
            AccountMissingError: there is no such account.
        """

    def set_enabled(self, subject: str, enabled: bool) -> None:
        """Allow or forbid the owner to log in.

        Raises:
            AccountMissingError: there is no such account.
        """

    def delete(self, subject: str) -> None:
        """Delete an account; a missing account counts as deleted."""

    def set_password(self, subject: str, password: str) -> None:
        """Set a permanent password.

        Raises:
            AccountMissingError: there is no such account.
            InvalidError: the provider's rules refuse the password.
        """

    def send_reset(self, subject: str) -> None:
        """Send the account's owner a link or code for setting a new password.

        Raises:
            AccountMissingError: there is no such account.
        """

    def pages(self, wait: Callable[[float], None]) -> Iterator[Sequence[Account]]:
        """Yield all accounts in pages, never the same page twice.

        Args:
            wait: waits for this many seconds when the provider asks to; it may raise an error to end the list.
        """

    def close(self) -> None:
        """Close the connections."""


class ProviderUnavailableError(UnavailableError):
    """The provider did not answer, or is temporarily unable to.

    Args:
        retry_after: seconds that the provider asks to wait; None if it does not say.
    """

    def __init__(self, message: str, *, hint: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class ProviderRefusedError(CustctlError):
    """The provider refused a request, and a retry would not help."""

    exit_code = ExitCode.INCOMPLETE


class AccountTakenError(ProviderRefusedError):
    """An account with this email or reference already exists."""


class AccountMissingError(ProviderRefusedError):
    """No account has this subject."""


class ProviderCredentialError(CredentialError):
    """The provider rejects the program's own credential, or the credential lacks permissions."""
