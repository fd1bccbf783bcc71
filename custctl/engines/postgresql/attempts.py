"""Attempts to connect that failed, told as errors of the tree.

libpq gives no SQLSTATE for these. What the server said is told from what libpq itself found by its form: behind the
severity, which is in the server's language, there are two blanks.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import psycopg

from custctl.errors import CredentialError, CustctlError, UnavailableError
from custctl.text import visible

if TYPE_CHECKING:
    from psycopg import Error

_SAID = re.compile(r"^[^\s:]+:  (.*)")
# libpq tells what it did before the reason: `connection to server at "h" (::1), port 1 failed: …`
_WHAT_WAS_DONE = re.compile(
    r"^connection (?:failed|is bad): (?:connection to server (?:at|on) .*? failed: )?|^connection to server .*? failed: "
)
_PASSWORD_FILE = re.compile(r'password retrieved from file "(.*)"')
_LOGIN = re.compile(
    r"password authentication failed|no password supplied|authentication failed|pg_hba\.conf|client certificate"
    r"|role \".*\" does not exist|is not permitted to log in|permission denied for database"
)
_NO_POSTGRESQL = re.compile(r"invalid response|authentication request|wrong version number|packet length")
_CHECK_NODES = "check that the server runs, and `database.nodes` in the profile"


def reason(error: Error) -> str:
    """Return why an attempt failed, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = _WHAT_WAS_DONE.sub("", lines[0]) if lines else type(error).__name__
    said = _SAID.match(text)
    return visible(said[1] if said else text).rstrip(": ")


def is_answer(error: Error) -> bool:
    """Tell whether it is the server that refused: it is alive."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return bool(lines) and _SAID.match(_WHAT_WAS_DONE.sub("", lines[0])) is not None


def wants_password(error: Error) -> bool:
    """Tell whether the server asked for a password, and there was none."""
    return "no password supplied" in str(error)


def translate_attempt(error: Error, where: str, login: str, authorities: str | None) -> CustctlError:
    """Return the error of the tree for an attempt to connect that failed.

    Args:
        where: the node, as messages name it.
        login: who was to be logged in, as messages name him.
        authorities: the file of certificates that were trusted, `system`, or None where any was taken.
    """
    text = reason(error)
    if _LOGIN.search(text):
        return CredentialError(f"{where} refuses the login of {login}: {text}", hint=_login_hint(error, text))
    if is_answer(error):
        if text.startswith("database "):
            hint = "let an administrator create it, and check `database.name` in the profile"
            return UnavailableError(f"{where}: {text}", hint=hint)
        return UnavailableError(f"{where} cannot serve now: {text}", hint="try again in a moment")
    if _NO_POSTGRESQL.search(text):
        return UnavailableError(f"{where} does not speak PostgreSQL's protocol: {text}", hint=_CHECK_NODES)
    if isinstance(error, psycopg.errors.ConnectionTimeout):
        return UnavailableError(f"{where} cannot be reached: no answer in time", hint=_CHECK_NODES)
    if "certificate" in text or "SSL" in text:
        return UnavailableError(f"no trustworthy connection to {where}: {text}", hint=_tls_hint(text, authorities))
    return UnavailableError(f"{where} cannot be reached: {text}", hint=_CHECK_NODES)


def _login_hint(error: Error, text: str) -> str:
    if "client certificate" in text:
        return "name its files by `PGSSLCERT` and `PGSSLKEY`, or put them where libpq looks: `~/.postgresql`"
    if "no encryption" in text:
        return "set `database.tls` in the profile: the server takes this login over TLS alone"
    if "pg_hba.conf" in text or "permission denied" in text:
        return "let an administrator admit this login, from this address, to this database"
    file = _PASSWORD_FILE.search(str(error))
    if file:
        return visible(f"the password was taken from `{file[1]}`")
    return "`custctl credential check` shows where the password was taken from; `custctl credential set` stores one"


def _tls_hint(text: str, authorities: str | None) -> str:
    if "does not match" in text:
        return "`database.nodes` has to name the host as its certificate does"
    if "verify failed" in text and authorities == "system":
        return (
            "the system's authorities have not signed its certificate: name the file of the one that has as"
            " `database.tls_ca` in the profile, or by `SSL_CERT_FILE`"
        )
    if "verify failed" in text:
        return f"none of the authorities in `{authorities}` has signed the server's certificate"
    if "does not support SSL" in text:
        return "let an administrator set up TLS on the server; `database.tls` in the profile asks for it"
    if "root certificate" in text:
        return "`database.tls_ca` in the profile names the file"
    return "check `database.tls` and `database.tls_ca` in the profile, and the server's certificate"
