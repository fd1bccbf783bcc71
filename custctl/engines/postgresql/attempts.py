"""Converts failed connection attempts to `CustctlError`.

The server's errors are recognised by SQLSTATE, whatever its language.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import psycopg

from custctl.engines.postgresql.connection import AttemptError, NoPasswordError
from custctl.support.errors import CredentialError, CustctlError, UnavailableError
from custctl.support.text import visible

if TYPE_CHECKING:
    from psycopg import Error

# libpq says what it did before it gives the reason: `connection to server at "h" (::1), port 1 failed: …`
_WHAT_WAS_DONE = re.compile(
    r"^connection (?:failed|is bad): (?:connection to server (?:at|on) .*? failed: )?|^connection to server .*? failed: "
)
_PASSWORD_FILE = re.compile(r'password retrieved from file "(.*)"')
# libpq's own messages are in English, because the program sets no locale for them.
_NO_POSTGRESQL = re.compile(r"invalid response|authentication request|wrong version number|packet length")
_PASSWORD, _AUTHORIZATION, _PRIVILEGE, _DATABASE = "28P01", "28000", "42501", "3D000"
PROTOCOL_VIOLATION = "08P01"
"""PgBouncer's answer to everything that it does not accept."""
_FROM_WHERE = "`custctl credential check` shows where the password comes from; `custctl credential set` stores one"
_CHECK_NODES = "check that the server is running, and check `database.nodes` in the profile"


def reason(error: Error) -> str:
    """Return why an attempt failed, in one line."""
    if isinstance(error, AttemptError):
        text = error.reason
    else:
        text = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return visible(_WHAT_WAS_DONE.sub("", text)).rstrip(": ")


def is_answer(error: Error) -> bool:
    """Tell whether the server itself refused, which means that it is alive."""
    return isinstance(error, AttemptError) and error.by_server


def translate_attempt(error: Error, where: str, login: str, authorities: str | None, *, tls: bool) -> CustctlError:
    """Convert the error of a failed connection attempt to a `CustctlError`.

    Args:
        where: the node, as named in messages.
        login: the login, as named in messages.
        authorities: the file of trusted certificates, `system`, or None if any certificate was accepted.
        tls: whether the attempt was encrypted.
    """
    told = _translated(error, where, login, authorities, tls=tls)
    if error.sqlstate:
        told.details.setdefault("sqlstate", error.sqlstate)
    return told


def _translated(error: Error, where: str, login: str, authorities: str | None, *, tls: bool) -> CustctlError:
    text, state = reason(error), error.sqlstate
    refused = f"{where} refuses the login of {login}: {text}"
    if state in (_PASSWORD, _AUTHORIZATION, _PRIVILEGE):
        return CredentialError(refused, hint=_login_hint(error, state, tls=tls))
    if "bearer token" in text:
        # libpq retries by itself, and this is the message that remains.
        told = f"{where} refuses the login of {login}: it does not accept the operator's token"
        return CredentialError(
            told, hint="`custctl whoami` shows whose it is; the server's log says what is wrong with it"
        )
    if isinstance(error, NoPasswordError):
        return CredentialError(refused, hint=_FROM_WHERE)
    if state == _DATABASE:
        hint = "ask an administrator to create it, and check `database.name` in the profile"
        return UnavailableError(f"{where}: {text}", hint=hint)
    if state == PROTOCOL_VIOLATION or (is_answer(error) and state is None):
        # A pooler uses this SQLSTATE for everything that it refuses; without an SQLSTATE there is only the text.
        hint = f"a pooler's log says what it lacks, such as a server; check the login too: {_FROM_WHERE}"
        return UnavailableError(f"{where} refuses the connection: {text}", hint=hint)
    if is_answer(error):
        return UnavailableError(f"{where} cannot serve now: {text}", hint="try again in a moment")
    if _NO_POSTGRESQL.search(text):
        return UnavailableError(f"{where} does not speak PostgreSQL's protocol: {text}", hint=_CHECK_NODES)
    if isinstance(error, psycopg.errors.ConnectionTimeout):
        return UnavailableError(f"{where} cannot be reached: no answer in time", hint=_CHECK_NODES)
    if "certificate" in text or "SSL" in text:
        return UnavailableError(f"no trustworthy connection to {where}: {text}", hint=_tls_hint(text, authorities))
    if "service" in text and os.environ.get("PGSERVICE"):
        hint = "`PGSERVICE` names it: define it in `~/.pg_service.conf`, or `unset PGSERVICE`"
        return UnavailableError(f"{where} cannot be reached: {text}", hint=hint)
    return UnavailableError(f"{where} cannot be reached: {text}", hint=_CHECK_NODES)


def _login_hint(error: Error, state: str, *, tls: bool) -> str:
    file = _PASSWORD_FILE.search(str(error))
    if file:
        return visible(f"the password comes from `{file[1]}`")
    if state == _PASSWORD:
        return _FROM_WHERE
    hint = "ask an administrator to allow this login from this address to this database"
    if state == _AUTHORIZATION and not tls:
        hint += "; it may be allowed only over TLS: set `database.tls` in the profile"
    elif state == _AUTHORIZATION:
        hint += "; if it accepts a client certificate, name its files with `PGSSLCERT` and `PGSSLKEY`"
    return hint


def _tls_hint(text: str, authorities: str | None) -> str:
    if "does not match" in text:
        return "`database.nodes` must name the host as its certificate does"
    if "verify failed" in text and authorities == "system":
        return (
            "the system's authorities have not signed its certificate: set the file of the authority that has as"
            " `database.tls_ca` in the profile, or with `SSL_CERT_FILE`"
        )
    if "verify failed" in text:
        return f"no authority in `{authorities}` signed the server's certificate"
    if "does not support SSL" in text:
        return "ask an administrator to set up TLS on the server; `database.tls` in the profile requires it"
    if "root certificate" in text:
        return "`database.tls_ca` in the profile names the file"
    return "check `database.tls` and `database.tls_ca` in the profile, and the server's certificate"
