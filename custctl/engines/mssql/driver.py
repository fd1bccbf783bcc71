"""Microsoft's ODBC driver: which one to use, and its connection string."""

from __future__ import annotations

import platform
import re
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pyodbc

from custctl.support.errors import CredentialError, UnavailableError

if TYPE_CHECKING:
    from custctl.engines.base import EngineSettings
    from custctl.engines.model import Node

_INSTALLED = re.compile(r"ODBC Driver (1[7-9]|[2-9][0-9]) for SQL Server")
_ACCESS_TOKEN = 1256  # SQL_COPT_SS_ACCESS_TOKEN
_PACKAGE = "mssql_python_odbc"
_FAMILIES = {"rhel": "rhel", "fedora": "rhel", "centos": "rhel", "suse": "suse", "sles": "suse", "opensuse": "suse"}


@dataclass(frozen=True, slots=True)
class Driver:
    """An ODBC driver.

    Attributes:
        name: its name in the connection string: the registered name, or a path.
        source: where it was found, in words.
    """

    name: str
    source: str


def find_driver() -> Driver:
    """Return the newest driver installed on the system, otherwise the one of the extra `mssql`.

    Raises:
        UnavailableError: there is neither.
    """
    installed = sorted((int(match[1]), name) for name in pyodbc.drivers() if (match := _INSTALLED.fullmatch(name)))
    if installed:
        return Driver(installed[-1][1], "installed")
    path = _packaged()
    if path is not None:
        return Driver(str(path), f"package {_PACKAGE.replace('_', '-')}")
    raise UnavailableError(
        "Microsoft's ODBC driver for SQL Server is not installed",
        hint="install it with `pip install 'custctl[mssql]'`, or install the system package msodbcsql18",
    )


def _packaged() -> Path | None:
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    libraries = Path(next(iter(spec.submodule_search_locations))) / "libs" / platform.system().lower()
    machine = {"amd64": "x86_64", "aarch64": "arm64"}.get(platform.machine().lower(), platform.machine().lower())
    found = sorted(libraries.rglob("*msodbcsql*18*"))
    fitting = [path for path in found if path.is_file() and machine in path.parts]
    family = _family()
    return next((path for path in fitting if family in path.parts), fitting[0] if fitting else None)


def _family() -> str:
    """Return the package's name for this family of Linux distributions."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return ""
    for name in (release.get("ID", ""), *release.get("ID_LIKE", "").split()):
        if name in _FAMILIES:
            return _FAMILIES[name]
    return "debian_ubuntu"


def connection_string(
    driver: Driver, settings: EngineSettings, node: Node, password: str | None, *, to_read: bool = False
) -> str:
    """Return the connection string for a node. It holds the password: give it to nothing but the driver.

    The connection is always encrypted; if the profile does not require a verified certificate, any is accepted.

    Args:
        to_read: whether the session only reads, which some secondaries require.
    """
    verified = settings.tls in ("verify-full", "strict")
    keys = {
        "DRIVER": driver.name,
        "SERVER": f"tcp:{node.host},{node.port}",
        "DATABASE": settings.name,
        "APP": "custctl",
        "Encrypt": "strict" if settings.tls == "strict" else "yes",
        "TrustServerCertificate": "no" if verified else "yes",
        # A session that the driver silently reopens has lost its locks and settings.
        "ConnectRetryCount": "0",
        # A listener, or a server in the cloud, may have several addresses: the driver tries them all at once.
        "MultiSubnetFailover": "Yes",
        **({"ApplicationIntent": "ReadOnly"} if to_read else {}),
        **_login(settings, password),
    }
    return ";".join(f"{key}={_quote(value)}" for key, value in keys.items())


def with_token(token: str | None) -> dict[int, bytes]:
    """Return the connection attribute that carries an Entra access token, if there is one.

    Source: https://learn.microsoft.com/sql/connect/odbc/using-azure-active-directory#authenticating-with-an-access-token
    """
    if token is None:
        return {}
    text = token.encode("utf-16-le")
    return {_ACCESS_TOKEN: len(text).to_bytes(4, "little") + text}


def _login(settings: EngineSettings, password: str | None) -> dict[str, str]:
    user = settings.user
    if settings.auth == "integrated":
        return {"Trusted_Connection": "yes"}
    named = {"UID": user} if user else {}
    if settings.token is not None:
        # The token identifies the user; the driver rejects any other credential with it.
        return {}
    if settings.auth == "entra":
        return _entra(named, is_person="@" in (user or ""), password=password)
    if password is None:
        raise CredentialError("SQL Server needs a password for this login", hint="`custctl credential set` stores it")
    return {**named, "PWD": password}


def _entra(named: dict[str, str], *, is_person: bool, password: str | None) -> dict[str, str]:
    """Return the keywords for a Microsoft Entra login: a person's name contains an @, an application's name is its id.

    Source: https://learn.microsoft.com/sql/connect/odbc/using-azure-active-directory
    """
    if password is not None:
        kind = "ActiveDirectoryPassword" if is_person else "ActiveDirectoryServicePrincipal"
        return {**named, "PWD": password, "Authentication": kind}
    if not is_person:
        return {**named, "Authentication": "ActiveDirectoryMsi"}
    if sys.platform == "win32":
        return {**named, "Authentication": "ActiveDirectoryInteractive"}
    # On other systems the driver cannot open a window: it uses the person's Kerberos ticket.
    return {"Authentication": "ActiveDirectoryIntegrated"}


def _quote(value: str) -> str:
    return "{" + value.replace("}", "}}") + "}"
