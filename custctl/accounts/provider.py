"""The one interface to an identity provider: what the program asks of it, whichever it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from custctl.support.errors import CredentialError, CustctlError, ExitCode, UnavailableError


@dataclass(frozen=True, slots=True)
class Account:
    """An account as the provider has just shown it.

    Attributes:
        subject: what the provider knows it by for ever: Cognito's `sub`, Auth0's `user_id`, SCIM's `id`.
        email: as the provider writes it.
        enabled: whether its owner can log in.
        reference: the mark that `create` has left on it; None where there is none, or the provider keeps none.
    """

    subject: str
    email: str
    enabled: bool
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What an account is made of. It gets no password: its owner sets one by a reset.

    Attributes:
        reference: marks the account as one customer's, `<database's id>:<customer's id>`, so that who was killed
            before the answer came finds it again.
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
        keeps_reference: it stores the reference and shows it again.
        sets_passwords: `set_password` works.
        sends_resets: `send_reset` works.
        takes_hashes: argon2id hashes can be moved to it.
    """

    keeps_reference: bool
    sets_passwords: bool
    sends_resets: bool
    takes_hashes: bool


class Provider(Protocol):
    """An identity provider.

    Every call may raise `ProviderUnavailableError` (nothing is known of its effect), `ProviderRefusedError` and
    `CredentialError`. Each answer is compared with what was asked: a server that ignores a filter must not pass off
    somebody else's account.
    """

    name: str
    """As messages call it, with what tells it from others of its kind: `cognito eu-west-1_AbCdEfGhI`."""

    def abilities(self) -> Abilities:
        """Tell what it can do; may ask the provider once."""

    def find(self, subject: str) -> Account | None:
        """Return the account with a subject, or None where there is none."""

    def find_by_email(self, email: str) -> Sequence[Account]:
        """Return all accounts with an email, whatever its case."""

    def find_by_reference(self, reference: str) -> Sequence[Account]:
        """Return all accounts with a reference; none where the provider keeps no references."""

    def create(self, account: NewAccount) -> Account:
        """Make an account.

        Raises:
            AccountTakenError: there is one with this email, or this reference.
        """

    def set_email(self, subject: str, email: str) -> None:
        """Change an account's email, as one that needs no confirmation.

        Raises:
            AccountTakenError: another account has it.
            AccountMissingError: there is no such account.
        """

    def set_enabled(self, subject: str, enabled: bool) -> None:
        """Allow or forbid the owner to log in.

        Raises:
            AccountMissingError: there is no such account.
        """

    def delete(self, subject: str) -> None:
        """Delete an account; one that is not there counts as deleted."""

    def set_password(self, subject: str, password: str) -> None:
        """Set the password, for good.

        Raises:
            AccountMissingError: there is no such account.
            InvalidError: the provider's rules refuse the password.
        """

    def send_reset(self, subject: str) -> None:
        """Send the account's owner what a new password is set with.

        Raises:
            AccountMissingError: there is no such account.
        """

    def pages(self) -> Iterator[Sequence[Account]]:
        """Yield all accounts, in pages; never the same page twice."""

    def close(self) -> None:
        """Close its connections."""


class ProviderUnavailableError(UnavailableError):
    """The provider did not answer, or answered that it cannot now.

    Args:
        retry_after: seconds that the provider asks to wait; None where it names none.
    """

    def __init__(self, message: str, *, hint: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class ProviderRefusedError(CustctlError):
    """The provider refused a request in a way that asking again does not mend."""

    exit_code = ExitCode.INCOMPLETE


class AccountTakenError(ProviderRefusedError):
    """There is an account with this email or reference already."""


class AccountMissingError(ProviderRefusedError):
    """There is no account with this subject."""


class ProviderCredentialError(CredentialError):
    """The provider does not accept the program's own credential, or grants it too little."""
