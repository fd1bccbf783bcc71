"""Which ODBC driver is taken, and what it is told."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pyodbc
import pytest

from custctl.engines.base import EngineSettings
from custctl.engines.model import Node
from custctl.engines.mssql import driver
from custctl.engines.mssql.driver import Driver, connection_string, find_driver
from custctl.support.errors import CredentialError, UnavailableError

NODE = Node("a", "db.internal", 1433)


def test_a_driver_that_the_system_has_is_taken_before_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = ["PostgreSQL Unicode", "ODBC Driver 17 for SQL Server", "ODBC Driver 18 for SQL Server", "FreeTDS"]
    monkeypatch.setattr(pyodbc, "drivers", lambda: installed)
    assert find_driver() == Driver("ODBC Driver 18 for SQL Server", "installed")


def test_the_newest_driver_of_the_system_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyodbc, "drivers", lambda: [f"ODBC Driver {n} for SQL Server" for n in (17, 21, 9, 18)])
    assert find_driver().name == "ODBC Driver 21 for SQL Server"


def test_else_the_packages_driver_is_named_by_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyodbc, "drivers", lambda: ["FreeTDS", "ODBC Driver 13 for SQL Server"])
    found = find_driver()
    assert found.source == "package mssql-python-odbc"
    assert Path(found.name).is_file()
    assert re.match(r"libmsodbcsql|msodbcsql", Path(found.name).name)


@pytest.mark.parametrize(
    ("release", "family"),
    [
        ({"ID": "debian"}, "debian_ubuntu"),
        ({"ID": "linuxmint", "ID_LIKE": "ubuntu debian"}, "debian_ubuntu"),
        ({"ID": "almalinux", "ID_LIKE": "rhel centos fedora"}, "rhel"),
        ({"ID": "opensuse-leap", "ID_LIKE": "suse opensuse"}, "suse"),
    ],
)
def test_the_package_has_a_driver_for_each_family_of_systems(
    monkeypatch: pytest.MonkeyPatch, release: dict[str, str], family: str
) -> None:
    monkeypatch.setattr(pyodbc, "drivers", list)
    monkeypatch.setattr("platform.freedesktop_os_release", lambda: release)
    assert family in Path(find_driver().name).parts


def test_with_neither_the_error_gives_the_command_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyodbc, "drivers", list)
    monkeypatch.setattr(driver, "find_spec", lambda name: None)
    with pytest.raises(UnavailableError) as raised:
        find_driver()
    assert "`pip install 'custctl[mssql]'`" in str(raised.value.hint)


def keywords(password: str | None = "secret", **settings: Any) -> dict[str, str]:
    """Return what a connection string says, read back as the driver reads it."""
    made = EngineSettings(**{"location": "x", "name": "shop", "user": "clerk", "auth": "password", **settings})
    text = connection_string(Driver("/opt/libmsodbcsql.so", "x"), made, NODE, password)
    found = re.findall(r"(\w+)=\{((?:[^}]|\}\})*)\}(?:;|$)", text)
    assert ";".join(f"{name}={{{value}}}" for name, value in found) == text, "a part of it is not understood"
    return {name: value.replace("}}", "}") for name, value in found}


def test_the_connection_string() -> None:
    assert keywords(tls="verify-full") == {
        "DRIVER": "/opt/libmsodbcsql.so",
        "SERVER": "tcp:db.internal,1433",
        "DATABASE": "shop",
        "APP": "custctl",
        "Encrypt": "yes",
        "TrustServerCertificate": "no",
        "ConnectRetryCount": "0",
        "MultiSubnetFailover": "Yes",
        "UID": "clerk",
        "PWD": "secret",
    }


@pytest.mark.parametrize("value", ["a;b", "{x}", "}", "a}};PWD=", "=", " ", "ö€😀", "'\""])
def test_no_value_can_say_more_than_itself(value: str) -> None:
    found = keywords(value, name=value, user=value)
    assert (found["PWD"], found["DATABASE"], found["UID"], found["Encrypt"]) == (value, value, value, "yes")


@pytest.mark.parametrize(
    ("tls", "encrypt", "trust"),
    [("verify-full", "yes", "no"), ("require", "yes", "yes"), ("strict", "strict", "no"), ("off", "yes", "yes")],
)
def test_what_is_sent_is_encrypted_always(tls: str, encrypt: str, trust: str) -> None:
    found = keywords(tls=tls)
    assert (found["Encrypt"], found["TrustServerCertificate"]) == (encrypt, trust)


LOGINS: list[tuple[dict[str, Any], str | None, dict[str, str]]] = [
    ({"auth": "password"}, "x", {"UID": "clerk", "PWD": "x"}),
    ({"auth": "integrated"}, None, {"Trusted_Connection": "yes"}),
    (
        {"auth": "entra", "user": "ada@example.com"},
        "x",
        {"UID": "ada@example.com", "PWD": "x", "Authentication": "ActiveDirectoryPassword"},
    ),
    (
        {"auth": "entra", "user": "11f9-app"},
        "x",
        {"UID": "11f9-app", "PWD": "x", "Authentication": "ActiveDirectoryServicePrincipal"},
    ),
    ({"auth": "entra", "user": None}, None, {"Authentication": "ActiveDirectoryMsi"}),
    ({"auth": "entra", "user": "11f9-app"}, None, {"UID": "11f9-app", "Authentication": "ActiveDirectoryMsi"}),
    ({"auth": "entra", "user": "ada@example.com"}, None, {"Authentication": "ActiveDirectoryIntegrated"}),
]


@pytest.mark.parametrize(("settings", "password", "expected"), LOGINS)
def test_each_login_has_its_keywords(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], password: str | None, expected: dict[str, str]
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    found = keywords(password, **settings)
    names = ("UID", "PWD", "Trusted_Connection", "Authentication")
    assert {name: found[name] for name in names if name in found} == expected


def test_a_person_is_asked_in_a_window_where_the_driver_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    found = keywords(None, auth="entra", user="ada@example.com")
    assert (found["UID"], found["Authentication"]) == ("ada@example.com", "ActiveDirectoryInteractive")


def test_a_login_by_password_needs_one() -> None:
    with pytest.raises(CredentialError, match="needs a password"):
        keywords(None)
