"""libpq's own settings: the trusted authorities and passwords that we use, and the settings that we override.

Source: https://www.postgresql.org/docs/current/libpq-connect.html and libpq-envars.html
"""

from __future__ import annotations

import ctypes
import os
import re
import stat
import sys
from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path
from typing import Any

from psycopg import pq

from custctl.support.identity import system_user
from custctl.support.tls import keep_out, require_authorities

SYSTEM = "system"
"""libpq's name for the system's authorities."""

_PROOFS = frozenset({"password", "passfile", "sslcert", "sslkey", "sslpassword", "sslcrl", "sslcrldir"})
"""Options of libpq for credentials and revoked certificates: these may come from its own variables and services. So may
`sslrootcert`, see `authorities`."""
# An empty name does not unset a service, so what it sets besides credentials is overridden option by option.
_LEFT_TO_LIBPQ = _PROOFS | {"service"}
# libpq's defaults, for options that do not accept an empty text as the default.
_DEFAULTS = {
    "min_protocol_version": "3.0",
    "max_protocol_version": "3.0",
    "sslcertmode": "allow",
    # Allow every method except one that does not exist here: an empty list would allow none.
    "require_auth": "!gss" if os.name == "nt" else "!sspi",
}
# libpq sends these to the server unchanged; no option overrides them.
_SENT_AS_THEY_ARE = ("PGTZ", "PGDATESTYLE", "PGGEQO")
_USED_BESIDES = ("PGSERVICE", "PGSERVICEFILE", "PGSYSCONFDIR", "PGSSLROOTCERT")
_VERBOSE = 2  # PQERRORS_VERBOSE

_FIELD = re.compile(r"((?:[^\\:]|\\.)*):")


def authorities(named: Path | None) -> str:
    """Return the file of trusted certificates, or `SYSTEM`: the profile's, else libpq's own, else the system's."""
    own = Path(os.path.expanduser("~/.postgresql/root.crt"))
    found = named or os.environ.get("PGSSLROOTCERT") or (own if own.exists() else SYSTEM)
    if found == SYSTEM and not os.environ.keys() & {"SSL_CERT_FILE", "SSL_CERT_DIR"}:
        _point_to_system()
    if found != SYSTEM:
        require_authorities(found)
    return str(found)


def _point_to_system() -> None:
    """Tell the driver's OpenSSL where the system's authorities are: the copy in its wheel looks in another folder."""
    import ssl

    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        os.environ["SSL_CERT_FILE"] = paths.cafile
    if paths.capath:
        os.environ["SSL_CERT_DIR"] = paths.capath


def overruled(given: Collection[str]) -> dict[str, str]:
    """Return options that keep libpq's variables and services from changing a connection's target or behaviour.

    Each option that this libpq would take from there is set to libpq's own default.

    Args:
        given: the options that the caller sets itself.

    Returns:
        Additional options for the connection.
    """
    keep_out()
    for name in _SENT_AS_THEY_ARE:
        # Only libpq stops seeing it: `os.environ` keeps it.
        os.unsetenv(name)
    found: dict[str, str] = {}
    for option in pq.Conninfo.get_defaults():
        name = option.keyword.decode()
        if name not in given and name not in _LEFT_TO_LIBPQ and option.val != option.compiled:
            found[name] = system_user() if name == "user" else _DEFAULTS.get(name, (option.compiled or b"").decode())
    return found


def variables() -> tuple[list[str], list[str]]:
    """Return libpq's variables that are set: those in use, and those that are ignored."""
    options = [(option.keyword.decode(), (option.envvar or b"").decode()) for option in pq.Conninfo.get_defaults()]
    used = {variable for name, variable in options if name in _PROOFS} | {*_USED_BESIDES}
    known = {variable for _, variable in options} | used | {*_SENT_AS_THEY_ARE}
    found = sorted(name for name in known if os.environ.get(name))
    return [name for name in found if name in used], [name for name in found if name not in used]


def tell_sqlstates(pgconn: pq.abc.PGconn) -> None:
    """Make the errors of a connection attempt include the SQLSTATE: `FATAL:  28P01: …`.

    libpq has no other way to provide it before there is a connection, and psycopg does not expose this one. If libpq's
    function cannot be called, errors have no SQLSTATE.
    """
    call = _set_verbosity()
    if call is not None:
        call(ctypes.c_void_p(pgconn.pgconn_ptr), _VERBOSE)  # type: ignore[attr-defined] # not in psycopg's protocol


def _set_verbosity() -> Any:
    return function("PQsetErrorVerbosity")


@cache
def function(name: str) -> Any:
    """Return a function of libpq; None if the driver's copy of libpq is not found or lacks the function."""
    if pq.__impl__ == "python":
        from psycopg.pq.misc import find_libpq_full_path

        paths = [find_libpq_full_path()]
    else:
        # A lookup also finds symbols of the libraries that a library was linked with, except on Windows.
        module = Path(getattr(sys.modules[pq.PGconn.__module__], "__file__", None) or "")
        paths = [str(module), *map(str, sorted(module.parent.parent.glob("psycopg_binary.libs/libpq*")))]
    for path in paths:
        try:
            return getattr(ctypes.CDLL(path), name)
        except (OSError, AttributeError):
            continue
    return None


def password_source(servers: Iterable[tuple[str, int]], name: str, user: str | None) -> str | None:
    """Return where libpq finds a password by itself (a variable, a service or its password file), or None."""
    defaults = {option.keyword.decode(): (option.val or b"").decode() for option in pq.Conninfo.get_defaults()}
    if defaults["password"]:
        return "PGPASSWORD" if os.environ.get("PGPASSWORD") else f"service {defaults['service']}"
    path = Path(defaults["passfile"] or _default_file())
    wanted = [(host, str(port), name, user or defaults["user"]) for host, port in servers]
    return str(path) if any(_has_entry(path, each) for each in wanted) else None


def _default_file() -> Path:
    if os.name == "nt":
        return Path(os.environ.get("APPDATA", "")) / "postgresql" / "pgpass.conf"
    return Path(os.path.expanduser("~/.pgpass"))


def _has_entry(path: Path, wanted: tuple[str, str, str, str]) -> bool:
    """Tell whether a password file that only its owner may read has a line for a login."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) or (os.name != "nt" and mode & (stat.S_IRWXG | stat.S_IRWXO)):
            return False
        text = path.read_text(errors="surrogateescape")
    except (OSError, ValueError):
        return False
    for line in text.splitlines():
        fields: list[str] = []
        end = 0
        while len(fields) < len(wanted) and (field := _FIELD.match(line, end)):
            fields.append(field[1])
            end = field.end()
        if len(fields) == len(wanted) and not line.startswith("#"):
            values = [None if field == "*" else re.sub(r"\\(.)", r"\1", field) for field in fields]
            if all(value in (None, each) for value, each in zip(values, wanted, strict=True)):
                return True
    return False
