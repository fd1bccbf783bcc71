"""The way to one database's cache: its keys, its connection, its scripts, and what no answer leaves in doubt."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from custctl.cache import scripts
from custctl.cache.entries import epoch_key
from custctl.cache.links import refused
from custctl.cache.memory import ALL
from custctl.cache.wire import Command, LoginError, Refusal, WireError

if TYPE_CHECKING:
    from custctl.cache.links import Link
    from custctl.cache.memory import Memory

Script = tuple[str, Sequence[str], Sequence[Any]]
"""The name, the keys and the arguments of a script to run."""


class CacheError(Exception):
    """The cache cannot be used.

    Attributes:
        kind: see `custctl.cache.wire.WireError`.
    """

    def __init__(self, message: str, kind: str = "") -> None:
        super().__init__(message)
        self.kind = kind


class CacheLoginError(CacheError):
    """The cache is reachable, but its credential or key is missing or rejected."""


class Keys:
    """The names of one database's keys; the braces keep them in one hash slot of a Cluster."""

    def __init__(self, database_id: str) -> None:
        self.prefix = f"custctl:{{{database_id}}}:"
        self.state = f"{self.prefix}state"
        self.counts = f"{self.prefix}counts"
        self.emails = f"{self.prefix}email:"

    def row(self, customer_id: int) -> str:
        """Return the key of a customer's entry."""
        return f"{self.prefix}row:{customer_id}"

    def email(self, email: str) -> str:
        """Return the key of an address: a hash, because anyone who may list keys sees it."""
        import hashlib

        return f"{self.emails}{hashlib.sha256(email.encode()).hexdigest()[:32]}"


class Channel:
    """The calls of one process. After a failed one it makes no other; the memory records what must no longer be trusted.

    Args:
        connect: opens the link.
        keys: the names of the database's keys.
        memory: what this machine remembers about the cache.
    """

    def __init__(self, connect: Callable[[], Link], keys: Keys, memory: Memory) -> None:
        self.keys = keys
        self.failure: str | None = None
        self._connect = connect
        self._memory = memory
        self._link: Link | None = None
        self._has_answered = False

    def close(self) -> None:
        """Close the connection."""
        if self._link is not None:
            self._link.close()
            self._link = None

    def call(self, commands: Sequence[Command], *, insist: bool = False, optional: bool = False) -> list[Any]:
        """Run commands.

        Args:
            insist: whether to use the cache even if it failed recently.
            optional: whether the work continues without the privilege to run them.

        Raises:
            CacheError: it does not respond, failed recently, or this login may not run them.
        """
        link = self.open(insist=insist)
        try:
            replies = link.call(commands)
            for reply in () if optional else replies:
                if isinstance(reply, Refusal) and reply.kind == "NOPERM":
                    raise refused(reply)
        except WireError as error:
            raise self._failed(error) from None
        # Only now, not on connecting: a server that hangs still accepts connections.
        if not self._has_answered:
            self._has_answered = True
            self._memory.answered()
        return replies

    def open(self, *, insist: bool) -> Link:
        """Return the link, connected. See `call`."""
        if self.failure is not None:
            raise CacheError(self.failure)
        if self._link is not None:
            return self._link
        if not insist and not self._memory.may_try():
            self.failure = f"{self._memory.failure}, a moment ago"
            raise CacheError(self.failure)
        try:
            self._link = self._connect()
            self._settle_doubts()
        except WireError as error:
            raise self._failed(error) from None
        return self._link

    def _failed(self, error: WireError) -> CacheError:
        self.failure = str(error)
        self._memory.failed(str(error))
        self.close()
        return (CacheLoginError if isinstance(error, LoginError) else CacheError)(str(error), error.kind)

    def _settle_doubts(self) -> None:
        """Remove what could not be removed while the cache did not respond.

        Raises:
            WireError: it rejects that, so that no entry can be trusted.
        """
        assert self._link is not None
        doubtful = self._memory.in_doubt
        if not doubtful:
            return
        command = (
            self.turned() if ALL in doubtful else scripts.whole("drop", [self.keys.row(each) for each in doubtful], [])
        )
        [reply] = self._link.call([command])
        if isinstance(reply, Refusal):
            raise refused(reply)
        self._memory.settle(doubtful)

    def run(self, name: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """Run a script, which must reach the cache, and return its reply.

        Raises:
            CacheError: the cache cannot be used, or rejects it.
        """
        return granted(self.run_all([(name, keys, arguments)], insist=True)[0])

    def run_all(self, calls: Sequence[Script], *, insist: bool = False) -> list[Any]:
        """Run scripts; a rejected script yields a `Refusal`, for example if a key is not ours."""
        replies = self.call([scripts.short(*call) for call in calls], insist=insist)
        unknown = [
            index for index, reply in enumerate(replies) if isinstance(reply, Refusal) and reply.kind == "NOSCRIPT"
        ]
        if not unknown:
            return replies
        # The server started since anyone last used it. It may have loaded an old snapshot, or be a replica that lacks
        # the last writes, so no earlier entry is trusted. If it rejects SCRIPT LOAD, each script is cached on its first
        # run, and this path runs once per script.
        first = [self.turned(), *scripts.loading()]
        told = self.call([*first, *(scripts.whole(*calls[index]) for index in unknown)], insist=insist)
        if isinstance(told[0], Refusal):
            return told[:1] * len(calls)
        for index, reply in zip(unknown, told[len(first) :], strict=True):
            replies[index] = reply
        return replies

    def turned(self, token: str = "", epoch: int | None = None) -> Command:
        """Return the command that makes all entries up to now count as not trusted, and removes a writer's mark.

        Args:
            token: the writer's.
            epoch: of a history that has forked.
        """
        arguments = [token, new_token(), epoch_key(epoch) if epoch is not None else ""]
        return scripts.whole("turn", [self.keys.state], arguments)


def granted(reply: Any) -> Any:
    """Return a reply.

    Raises:
        CacheError: it is a refusal.
    """
    if isinstance(reply, Refusal):
        raise CacheError(str(refused(reply)), reply.kind)
    return reply


def new_token() -> str:
    """Return a name that no other writer, reader or generation of entries has."""
    return os.urandom(9).hex()


def ms(seconds: float) -> int:
    """Return seconds as whole milliseconds, as the scripts take them."""
    return round(seconds * 1000)
