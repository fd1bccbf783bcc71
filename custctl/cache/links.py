"""Ways to a cache: one server, a Sentinel's master, a Cluster; each takes commands and returns replies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from custctl.cache.wire import Command, Refusal, Wire, WireError

if TYPE_CHECKING:
    from custctl.profiles.cache_url import Address


class Link(Protocol):
    """A connection to a cache."""

    def call(self, commands: Sequence[Command]) -> list[Any]:
        """Run commands, and return their replies; what the server refuses is a `Refusal` among them.

        Raises:
            WireError: not all replies come in time.
        """

    def close(self) -> None:
        """Hang up."""


def open_link(
    address: Address, *, password: Callable[[], str | None], authorities: Path | None, patience: float
) -> Link:
    """Connect to a cache.

    Args:
        password: looks the login's password up; asked only where the URL names a user.
        authorities: the certificates to trust in place of the system's.
        patience: seconds for connecting, and for each call.

    Raises:
        WireError: it does not answer in time, or refuses the login.
    """
    secret = password() if address.user is not None else None
    if address.kind != "single":
        return _LibraryLink(address, secret, authorities, patience)
    host, port = address.hosts[0]
    link = Wire(host, port, tls=_context(authorities) if address.tls else None, patience=patience)
    greetings: list[Command] = []
    if secret is not None:
        greetings.append(("AUTH", address.user or "default", secret))
    if address.number:
        greetings.append(("SELECT", address.number))
    for reply in link.call(greetings) if greetings else ():
        if isinstance(reply, Refusal):
            link.close()
            # Never with the command: it holds the password.
            raise WireError(f"it refuses the login: {reply.kind.lower()}")
    return link


def _context(authorities: Path | None) -> Any:
    import ssl

    return ssl.create_default_context(cafile=str(authorities) if authorities is not None else None)


class _LibraryLink:
    """A Sentinel's master, or a Cluster, by way of redis-py.

    Its defaults wait for a minute and try again and again; here each attempt is the only one, and short.
    """

    def __init__(self, address: Address, secret: str | None, authorities: Path | None, patience: float) -> None:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        self._failures = (redis.exceptions.RedisError, OSError)
        self._refusal = redis.exceptions.ResponseError
        options: dict[str, Any] = {
            "socket_timeout": patience,
            "socket_connect_timeout": patience,
            "username": address.user,
            "password": secret,
            "retry": Retry(NoBackoff(), 0),
        }
        if address.tls:
            options |= {"ssl": True, "ssl_ca_certs": str(authorities) if authorities is not None else None}
        try:
            if address.kind == "sentinel":
                watch = {"socket_timeout": patience, "socket_connect_timeout": patience}
                sentinel: Any = redis.Sentinel(  # type: ignore[no-untyped-call]
                    list(address.hosts), sentinel_kwargs=watch, **options
                )
                self._client: Any = sentinel.master_for(address.service, db=address.number)
            else:
                nodes = [
                    redis.cluster.ClusterNode(host, port)  # type: ignore[no-untyped-call]
                    for host, port in address.hosts
                ]
                options["retry"] = Retry(NoBackoff(), 1)  # once more after the slots have moved
                self._client = redis.RedisCluster(startup_nodes=nodes, **options)
        except self._failures as error:
            raise WireError(type(error).__name__) from None

    def call(self, commands: Sequence[Command]) -> list[Any]:
        """Run commands one after the other."""
        replies: list[Any] = []
        for command in commands:
            try:
                replies.append(self._client.execute_command(*command))
            except self._refusal as error:
                text = str(error)
                missing = type(error).__name__ == "NoScriptError"
                replies.append(Refusal(f"NOSCRIPT {text}" if missing else text))
            except self._failures as error:
                raise WireError(f"{type(error).__name__}: {error}") from None
        return replies

    def close(self) -> None:
        """Hang up."""
        self._client.close()
