"""Connections to a cache: one server, the master that Sentinels name, or the Cluster node with a database's entries.

All entries of a database are in one hash slot, so one server has all of them, and one connection is enough.

Sources: https://redis.io/docs/latest/develop/reference/sentinel-clients/ and
https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/ (MOVED).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from custctl.cache.wire import Command, LoginError, Refusal, Wire, WireError
from custctl.support.tls import client_context

if TYPE_CHECKING:
    from custctl.profiles.cache_url import Address

_HOPS = 2  # maximum redirections of a call; a healthy Cluster needs one
_WANTS_LOGIN = frozenset({"NOAUTH", "WRONGPASS"})
# Errors that fail every write. OOM is not one of them: a full server still removes entries.
_DOES_NOT_SERVE = frozenset(
    {"READONLY", "MISCONF", "NOREPLICAS", "LOADING", "MASTERDOWN", "BUSY", "DENIED"}
    | {"MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "CROSSSLOT"}
)
NO_DATABASE = "SELECT"
"""The `kind` of the error for a database number that does not exist; servers have no code for it."""


class Link(Protocol):
    """A connection to a cache."""

    def call(self, commands: Sequence[Command]) -> list[Any]:
        """Run commands, and return their replies; a command that the server rejects has a `Refusal` as its reply.

        Raises:
            WireError: not all replies arrive in time, or the server cannot serve requests at all.
        """

    def close(self) -> None:
        """Close the connection."""


def open_link(
    address: Address, near: str, *, password: Callable[[], str | None], authorities: Path | None, patience: float
) -> Link:
    """Connect to a cache, within twice the patience.

    Args:
        near: a key of the entries that the connection is for.
        password: looks up the login's password; called only if the URL names a user.
        authorities: the certificates to trust instead of the system's.
        patience: seconds for connecting, and for each call.

    Raises:
        WireError: it does not respond in time, or rejects the login.
    """
    door = _Door(address, password() if address.user is not None else None, authorities, patience)
    if address.kind == "sentinel":
        return _first(address, 2 * patience, lambda *place: _ServerLink(door.open_master(*place)))
    if address.kind == "cluster":
        return _first(address, patience, lambda *place: _NodeLink.to(near, door, *place))
    return _ServerLink(door.open(*address.hosts[0], patience))


class _Door:
    """What every connection to a server of a cache needs: TLS, login, database."""

    def __init__(self, address: Address, secret: str | None, authorities: Path | None, patience: float) -> None:
        self._address = address
        self._login: list[Command] = [("AUTH", address.user or "default", secret)] if secret is not None else []
        self._greetings = [*self._login, *([("SELECT", address.number)] if address.number else [])]
        self._tls = _context(authorities) if address.tls else None
        self._patience = patience

    def open(self, host: str, port: int | None, patience: float) -> Wire:
        """Connect and log in.

        Args:
            patience: seconds for both.

        Raises:
            WireError: it does not respond in time, or rejects the login.
        """
        began = time.monotonic()
        wire = Wire(host, port, tls=self._tls, patience=patience)
        if self._greetings:
            wire.patience = max(patience - (time.monotonic() - began), 0.001)
            # PING shows whether the server has hung up: if so, the error is not about the login.
            for command, reply in zip(self._greetings, wire.call([*self._greetings, ("PING",)]), strict=False):
                if isinstance(reply, Refusal):
                    wire.close()
                    raise self._refused(command, reply)
        wire.patience = self._patience
        return wire

    def _refused(self, command: Command, reply: Refusal) -> WireError:
        # Never include the command: it holds the password.
        if command[0] == "AUTH" and reply.kind == "ERR":
            return LoginError(f"it rejects the login: {reply.words}", reply.kind)
        if command[0] == "SELECT" and reply.kind == "ERR":
            return WireError(f"it has no database {self._address.number}: {reply.words}", NO_DATABASE)
        return refused(reply)

    def open_master(self, host: str, port: int | None, patience: float) -> Wire:
        """Connect to the master named by a Sentinel; a Sentinel that requires a login gets the master's.

        Raises:
            WireError: it knows none, or the server that it names is not a master or does not respond.
        """
        service = self._address.service
        sentinel = Wire(host, port, tls=self._tls, patience=patience / 2)
        try:
            ask: Command = ("SENTINEL", "get-master-addr-by-name", service)
            [named] = sentinel.call([ask])
            if _is(named, "NOAUTH") and self._login:
                named = sentinel.call([*self._login, ask])[-1]
        finally:
            sentinel.close()
        if not (isinstance(named, list) and len(named) == 2 and all(isinstance(word, bytes) for word in named)):
            why = f": {named.words}" if isinstance(named, Refusal) else ""
            raise WireError(f"the sentinel at {host} knows no master `{service}`{why}")
        master = self.open(named[0].decode(errors="replace"), _port(named[1]), patience / 2)
        [role] = master.call([("ROLE",)])
        # If this login may not run ROLE, trust the Sentinel.
        if isinstance(role, list) and role[:1] != [b"master"]:
            master.close()
            raise WireError(f"the sentinel at {host} names a master that is not one")
        return master


def _first(address: Address, patience: float, use: Callable[[str, int | None, float], _ServerLink]) -> _ServerLink:
    """Return the link through the first host that works; each host gets a share of the remaining time."""
    deadline = time.monotonic() + patience
    last = WireError("it has no host")
    for index, (host, port) in enumerate(address.hosts):
        share = (deadline - time.monotonic()) / (len(address.hosts) - index)
        try:
            return use(host, port, max(share, 0.001))
        except LoginError:
            raise
        except WireError as error:
            last = error
    raise last


class _ServerLink:
    """A connection to one server."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def call(self, commands: Sequence[Command]) -> list[Any]:
        """See `Link`."""
        return _served(self._wire.call(commands))

    def close(self) -> None:
        """Close the connection."""
        self._wire.close()


class _NodeLink(_ServerLink):
    """A connection to one node of a Cluster, which follows the node's redirections."""

    def __init__(self, wire: Wire, door: _Door) -> None:
        super().__init__(wire)
        self._door = door

    @classmethod
    def to(cls, key: str, door: _Door, host: str, port: int | None, patience: float) -> Self:
        """Connect to the node that stores a key, through any other node."""
        wire = door.open(host, port, patience)
        link, usual = cls(wire, door), wire.patience
        wire.patience = patience
        try:
            link.call([("EXISTS", key)])
        except WireError:
            link.close()
            raise
        link._wire.patience = usual
        return link

    def call(self, commands: Sequence[Command]) -> list[Any]:
        """See `Link`."""
        replies = self._wire.call(commands)
        for _ in range(_HOPS):
            moved = [index for index, reply in enumerate(replies) if _is(reply, "MOVED")]
            if not moved:
                break
            self._follow(str(replies[moved[0]]))
            again = self._wire.call([commands[index] for index in moved])
            for index, reply in zip(moved, again, strict=True):
                replies[index] = reply
        return _served(replies)

    def _follow(self, moved: str) -> None:
        """Connect to the node that stores a slot: `MOVED 3999 db2.internal:6381`, without a host for the same one."""
        host, _, port = moved.rpartition(" ")[2].rpartition(":")
        before = self._wire
        self._wire = self._door.open(host or before.host, _port(port.encode()), before.patience)
        before.close()


def _is(reply: Any, kind: str) -> bool:
    return isinstance(reply, Refusal) and reply.kind == kind


def _served(replies: list[Any]) -> list[Any]:
    """Return replies, but raise a refusal that would fail every command."""
    for reply in replies:
        if isinstance(reply, Refusal) and reply.kind in _WANTS_LOGIN | _DOES_NOT_SERVE:
            raise refused(reply)
    return replies


def refused(reply: Refusal) -> WireError:
    """Return a server's refusal as an error, in its own words."""
    if reply.kind in _WANTS_LOGIN:
        return LoginError(f"it rejects the login: {reply.words}", reply.kind)
    if reply.kind == "NOPERM":
        return LoginError(f"the login lacks a privilege: {reply.words}", reply.kind)
    does = "cannot serve requests" if reply.kind in _DOES_NOT_SERVE else "rejects a command"
    return WireError(f"it {does}: {reply.words}", reply.kind)


def _port(text: bytes) -> int:
    if not (text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536):
        raise WireError("it names a server without a port")
    return int(text)


def _context(authorities: Path | None) -> Any:
    import ssl

    try:
        return client_context(str(authorities) if authorities is not None else None)
    except OSError as error:
        why = "it contains no certificates" if isinstance(error, ssl.SSLError) else str(error.strerror).lower()
        raise WireError(f"cannot use `{authorities}`: {why}") from None
