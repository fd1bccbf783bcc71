"""The interface to a database: everything that differs between engines is behind it.

A `Database` joins the parts and holds at most one connection, opened when first needed. A caller can name only the part
it needs: `Connecting`, `Rows`, `Scripting`, `Shaping`, `Cluster`. Differences in SQL are in `dialect.Dialect`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from custctl.engines.cluster import Cluster
from custctl.engines.connecting import Connecting
from custctl.engines.model import Check, Node
from custctl.engines.rows import Rows
from custctl.engines.scripting import Scripting
from custctl.engines.shaping import Shaping

if TYPE_CHECKING:
    from custctl.engines.reads import Replicas


def _no_password() -> None:
    return None


def _no_renewal() -> None:
    pass


class EngineSettings(NamedTuple):
    """What an engine needs from a profile to connect; times in seconds.

    Attributes:
        location: the database, described for messages.
        path: SQLite's file; the fields after the timeouts are for servers.
        connect_timeout: for one attempt to connect.
        statement_timeout: for one statement or one write transaction; zero means no limit.
        auth: password, integrated, entra, certificate, oauth or rds-iam.
        tls: verify-full, strict, require or off.
        tls_ca: the certificates to trust instead of the system's.
        actor: who runs the command, shown in the server's list of sessions.
        password: looks up the password for the first connection; returns None if the login needs none.
        token: returns the login token for a host and port; None if logins need no token.
        renew: called before connecting; renews an expired login, which may take longer than connecting. The threads
            that connect may be abandoned, and must not do it.
        issuer: who issues the tokens of `auth: oauth`; `client_id` is who receives them.
        replicas: decides where reads go and remembers the position of writes; None if there is only one node.
        is_chosen: whether the caller chose the one node knowing its history, so that `check_history` is skipped.
    """

    location: str
    path: Path | None = None
    connect_timeout: float = 5.0
    statement_timeout: float = 30.0
    nodes: Sequence[Node] = ()
    name: str = ""
    schema: str = ""
    user: str | None = None
    auth: str = "integrated"
    tls: str = "off"
    tls_ca: Path | None = None
    actor: str = ""
    password: Callable[[], str | None] = _no_password
    token: Callable[[str, int], str] | None = None
    renew: Callable[[], None] = _no_renewal
    issuer: str = ""
    client_id: str = ""
    replicas: Replicas | None = None
    is_chosen: bool = False

    def __repr__(self) -> str:
        # Without the functions that look up the password and the token, whose own `repr` may show what they hold.
        return f"EngineSettings({self.location!r})"


class Database(Connecting, Rows, Scripting, Shaping, Cluster):
    """One database as a profile names it."""

    @abstractmethod
    def checks(self, scripts: Path) -> Iterator[Check]:
        """Check the driver, the file or server, and the login, for `doctor`.

        Args:
            scripts: the folder of this engine's scripts, as hints show it.
        """
