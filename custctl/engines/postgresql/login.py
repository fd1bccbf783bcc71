"""How a connection to PostgreSQL logs in, and what it sets up for its session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from custctl.engines.postgresql.libpq import authorities, overruled
from custctl.engines.postgresql.oauth import hand_over
from custctl.engines.postgresql.pooling import APPLICATION

if TYPE_CHECKING:
    from custctl.engines.base import EngineSettings
    from custctl.engines.model import Node

_SSLMODES = {"verify-full": "verify-full", "strict": "verify-full", "require": "require", "off": "disable"}


def parameters(settings: EngineSettings, node: Node, password: str | None) -> dict[str, Any]:
    """Return libpq's parameters for a login at a node, without those of the session."""
    login: dict[str, Any] = {
        "host": node.host,
        "hostaddr": "",
        "port": node.port,
        "dbname": settings.name,
        "user": settings.user,
        "password": password,
        "sslmode": _SSLMODES[settings.tls],
        "client_encoding": "utf8",
        # libpq treats anything below two seconds as two.
        "connect_timeout": max(2, round(settings.connect_timeout)),
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    }
    if settings.tls in ("verify-full", "strict"):
        login["sslrootcert"] = authorities(settings.tls_ca)
    if settings.tls == "strict":
        login["sslnegotiation"] = "direct"
    if settings.auth != "integrated":
        # Do not use a Kerberos ticket that happens to be there.
        login["gssencmode"] = "disable"
    given = {name: value for name, value in login.items() if value is not None}
    # Only the profile decides where the nodes are and how a session is set up.
    return {**overruled({*given, "options"}), **given, **_by_token(settings, node)}


def _by_token(settings: EngineSettings, node: Node) -> dict[str, Any]:
    """Return the parameters of a login with a token; empty for other logins."""
    if settings.token is None:
        return {}
    token = settings.token(node.host, node.port)
    if settings.auth != "oauth":
        return {"password": token}
    hand_over(settings.issuer, token)
    # A server that asks for another proof, such as a password, gets none.
    return {"oauth_issuer": settings.issuer, "oauth_client_id": settings.client_id, "require_auth": "oauth"}


def session_settings(settings: EngineSettings) -> dict[str, str]:
    """Return the settings of our sessions."""
    timeout = int(settings.statement_timeout * 1000)
    return {
        "application_name": f"{APPLICATION} {settings.actor}"[:63],
        "statement_timeout": str(timeout),
        # Shorter than the statement timeout, so that the error names a lock.
        "lock_timeout": str(timeout * 9 // 10),
        # A commit that does not reach the server leaves its transaction open; this ends it before our wait ends.
        "idle_in_transaction_session_timeout": str(timeout),
        "TimeZone": "UTC",
        "DateStyle": "ISO",
        "IntervalStyle": "postgres",
        "extra_float_digits": "1",
        "bytea_output": "hex",
        "search_path": search_path(settings.schema),
        "client_min_messages": "warning",
        "standard_conforming_strings": "on",
        "array_nulls": "on",
        # With a limit, a search through a GIN index leaves out hits at random.
        "gin_fuzzy_search_limit": "0",
        # Definitions are compared as text.
        "quote_all_identifiers": "off",
        # A standby refuses a statement of a serializable session.
        "default_transaction_isolation": "read committed",
        # Compiling a statement takes longer than reading a page.
        "jit": "off",
    }


def script_settings(settings: EngineSettings, server_version: int) -> dict[str, str]:
    """Return the settings of a script's session: no limit on statements, one on locks."""
    timeout = int(settings.statement_timeout * 1000)
    unlimited = {"statement_timeout": "0", **unlimited_transactions(server_version)}
    return {**session_settings(settings), **unlimited, "lock_timeout": str(timeout)}


def unlimited_transactions(server_version: int) -> dict[str, str]:
    """Return the settings that lift a limit on the length of transactions; servers before version 17 have none."""
    return {"transaction_timeout": "0"} if server_version >= 170000 else {}


def options(settings: EngineSettings) -> str:
    """Return the session's settings as libpq's `options`, which are sent with the login at no extra cost."""
    told = session_settings(settings)
    escaped = {name: value.replace("\\", "\\\\").replace(" ", "\\ ") for name, value in told.items()}
    return " ".join(f"-c {name}={value}" for name, value in escaped.items())


def search_path(schema: str) -> str:
    """Return the schemas in which a session looks up names."""
    quoted = '"' + schema.replace('"', '""') + '"'
    return "public" if schema == "public" else f"{quoted}, public"
