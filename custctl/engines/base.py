"""The interface to a database: whatever differs between engines is behind it and nowhere else.

A `Database` joins the parts, and holds at most one connection, opened when first needed. A caller can name the part that
it needs: `Connecting`, `Rows`, `Scripting`, `Shaping`, `Cluster`. What is said in SQL has a part of its own, `dialect.Dialect`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

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


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What an engine needs from a profile to connect; times in seconds.

    Attributes:
        location: the database in words.
        path: the file of SQLite; the fields after the times are for servers.
        connect_timeout: for one attempt to connect.
        statement_timeout: for one statement or one transaction that writes; zero is no limit.
        auth: password, integrated, entra, certificate, oauth or rds-iam.
        tls: verify-full, strict, require or off.
        tls_ca: the certificates to trust in place of the system's.
        actor: who works, for the server's list of sessions.
        password: looks the password up when the first connection is made; None where the login needs none.
        token: returns the token with which to log in at a host and port; None where logins need none.
        issuer: who issues the tokens of `auth: oauth`, and `client_id` to whom.
        replicas: decides where reads go and keeps what was written; None where there is but one node.
        is_chosen: whether somebody who knows whose history it has named the one node, which is not doubted then.
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
    password: Callable[[], str | None] = field(default=_no_password, repr=False)
    token: Callable[[str, int], str] | None = field(default=None, repr=False)
    issuer: str = ""
    client_id: str = ""
    replicas: Replicas | None = None
    is_chosen: bool = False


class Database(Connecting, Rows, Scripting, Shaping, Cluster):
    """One database as a profile names it."""

    @abstractmethod
    def checks(self, scripts: Path) -> Iterator[Check]:
        """Look at the driver, the file or server, and the login, for `doctor`.

        Args:
            scripts: the folder of this engine's scripts, as hints name it.
        """
