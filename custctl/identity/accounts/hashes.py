"""Password hashes that a provider imports: what is sent, and the result for each."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, runtime_checkable

from custctl.identity.accounts.provider import NewAccount


@dataclass(frozen=True, slots=True)
class HashedAccount:
    """An account to create with its owner's current password.

    Attributes:
        account: the account to create.
        hash: the argon2 hash, in PHC form.
    """

    account: NewAccount
    hash: str = field(repr=False)

    @property
    def mark(self) -> str:
        """The mark that the provider stores with the account, so that a later run knows which hash was imported."""
        return hashlib.sha256(self.hash.encode()).hexdigest()[:32]


class Fate(Enum):
    """The result for one account."""

    TAKEN = "taken"
    """The provider has the account with exactly this hash."""
    WITHOUT_HASH = "without hash"
    """The account exists and is marked as this customer's, but without our hash: its owner needs a reset."""
    REFUSED = "refused"
    """The customer has no account; the reason says why."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result for one account, in detail.

    Attributes:
        fate: whether the provider has the hash.
        subject: the account's subject, if any.
        reason: why it was refused; quotes nothing that was sent.
    """

    fate: Fate
    subject: str | None = None
    reason: str | None = None


@runtime_checkable
class TakesHashes(Protocol):
    """A provider that can import hashes."""

    def fitting(self, accounts: Sequence[HashedAccount]) -> int:
        """Return how many of the accounts, from the first on, fit into one request; at least one."""

    def take_hashes(self, accounts: Sequence[HashedAccount], wait: Callable[[float], None]) -> Mapping[str, Verdict]:
        """Create accounts that keep their owners' passwords.

        Calling it again for accounts that were already imported is safe.

        Args:
            accounts: no more than `fitting` returns.
            wait: waits for this many seconds; it may raise an error to end the run.

        Returns:
            The result by reference.
        """
