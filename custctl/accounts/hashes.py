"""Password hashes that a provider takes over: what is sent, and what became of each."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, runtime_checkable

from custctl.accounts.provider import NewAccount


@dataclass(frozen=True, slots=True)
class HashedAccount:
    """An account to be made with the password that its owner has.

    Attributes:
        account: what it is made of.
        hash: the argon2 hash, in PHC form.
    """

    account: NewAccount
    hash: str = field(repr=False)

    @property
    def mark(self) -> str:
        """What the provider keeps beside the account, so that a later run knows which hash it has taken."""
        return hashlib.sha256(self.hash.encode()).hexdigest()[:32]


class Fate(Enum):
    """What became of one account."""

    TAKEN = "taken"
    """The provider has the account and this very hash."""
    WITHOUT_HASH = "without hash"
    """The account is there, marked as this customer's, and has no hash from here: only a reset helps its owner."""
    REFUSED = "refused"
    """There is no account for this customer; the reason says why."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one account.

    Attributes:
        fate: whether the hash is there.
        subject: the account's; None where there is none.
        reason: why it was refused; it quotes nothing that was sent.
    """

    fate: Fate
    subject: str | None = None
    reason: str | None = None


@runtime_checkable
class TakesHashes(Protocol):
    """A provider that takes hashes over."""

    def fitting(self, accounts: Sequence[HashedAccount]) -> int:
        """Return how many of the first accounts one request holds, at least one."""

    def take_hashes(self, accounts: Sequence[HashedAccount], wait: Callable[[float], None]) -> Mapping[str, Verdict]:
        """Make accounts with the passwords that their owners have.

        It can be asked again for those that it has taken already.

        Args:
            accounts: no more than fit.
            wait: waits for so many seconds; it may raise what ends the whole.

        Returns:
            For each reference what became of it.
        """
