"""libpq's own variables and services: those that prove who logs in are used, all others change nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from psycopg import pq

from custctl.engines.postgresql.libpq import variables
from tests.conftest import ADA
from tests.faults.conftest import Site
from tests.servers.fixtures import PostgresqlServers
from tests.servers.projects import PASSWORD_VARIABLE, nodes

USED = {
    "PGPASSWORD",
    "PGPASSFILE",
    "PGSERVICE",
    "PGSERVICEFILE",
    "PGSSLCERT",
    "PGSSLKEY",
    "PGSSLCRL",
    "PGSSLCRLDIR",
    "PGSSLROOTCERT",
}
# What is not an option: libpq sends these to the server as they are.
SENT = {"PGTZ", "PGDATESTYLE", "PGGEQO"}
OPTIONS = {option.envvar.decode(): option.keyword.decode() for option in pq.Conninfo.get_defaults() if option.envvar}
# Values that libpq or the server takes, and that would change something; for all others one that nobody takes.
TAKEN = {
    "PGTARGETSESSIONATTRS": ["standby", "read-only", "prefer-standby"],
    "PGREQUIREAUTH": ["!scram-sha-256"],
    "PGSSLMODE": ["disable"],
    "PGSSLNEGOTIATION": ["direct"],
    "PGSSLCERTMODE": ["require"],
    "PGCHANNELBINDING": ["require"],
    "PGGSSENCMODE": ["require"],
    "PGMINPROTOCOLVERSION": ["3.2"],
    "PGSSLMAXPROTOCOLVERSION": ["TLSv1"],
    "PGOPTIONS": ["-c default_transaction_read_only=on", "-c search_path=pg_catalog -c statement_timeout=1"],
    "PGCLIENTENCODING": ["LATIN1"],
    "PGHOSTADDR": ["127.0.0.9"],
    "PGLOADBALANCEHOSTS": ["random"],
    "PGCONNECT_TIMEOUT": ["1"],
    "PGTZ": ["Asia/Tokyo"],
    "PGDATESTYLE": ["German"],
    "PGGEQO": ["off"],
    "PGUSER": ["nobody"],
    "PGDATABASE": ["postgres"],
    "PGAPPNAME": ["psql"],
}
SHUT_OUT = sorted((OPTIONS.keys() | SENT) - USED)


@pytest.fixture
def direct(site: Site, postgresql_servers: PostgresqlServers) -> Site:
    """A site whose `dev` is reached without the proxy, with a customer in it."""
    site.ok("customer", "add", *ADA)
    return site


def _reach(site: Site, servers: PostgresqlServers, tls: str) -> None:
    server = servers.shared("postgresql17")
    assert server.certificates is not None
    ca = str(server.certificates.ca) if tls == "verify-full" else None
    site.profile(nodes=nodes("localhost", server.port), tls=tls, tls_ca=ca)


def _is_as_ever(site: Site) -> None:
    found = site.ok("customer", "get", ADA[1], "-o", "json").json
    site.ok("customer", "update", ADA[1], "--city", f"City of version {found['version']}")
    history = site.ok("customer", "history", ADA[1], "-o", "json").json["items"]
    assert len(history) == 2
    assert all(entry["happened_at"].endswith("Z") for entry in history)


@pytest.mark.parametrize("tls", ["verify-full", "off"])
def test_no_variable_changes_whom_it_reaches_or_what_it_means(
    direct: Site, postgresql_servers: PostgresqlServers, tls: str
) -> None:
    """Each by itself: a libpq that knows a new one is tested with that too."""
    _reach(direct, postgresql_servers, tls)
    for name in SHUT_OUT:
        for value in [*TAKEN.get(name, []), "nonsense", ""]:
            direct.project.environ[name] = value
            result = direct.run("customer", "get", ADA[1], "-o", "json")
            assert result.code == 0, f"{name}={value}: {result.err}"
            assert result.json["email"] == ADA[1]
            del direct.project.environ[name]


@pytest.mark.parametrize("tls", ["verify-full", "off"])
def test_all_of_them_together_change_nothing(direct: Site, postgresql_servers: PostgresqlServers, tls: str) -> None:
    _reach(direct, postgresql_servers, tls)
    direct.project.environ |= {name: TAKEN.get(name, ["nonsense"])[0] for name in SHUT_OUT}
    _is_as_ever(direct)
    direct.ok("migrate")
    checks = {check["check"]: check for check in direct.ok("doctor", "-o", "json").json["items"]}
    told = checks["environment"]["value"]
    assert all(name in told for name in SHUT_OUT)
    assert told.endswith(" ignored")
    assert "nonsense" not in told
    assert "Asia/Tokyo" not in told


def test_what_a_service_sets_besides_the_password_changes_nothing(
    direct: Site, postgresql_servers: PostgresqlServers, tmp_path: Path
) -> None:
    _reach(direct, postgresql_servers, "verify-full")
    path = tmp_path / "services"
    lines = [f"{OPTIONS[name]}={TAKEN.get(name, ['nonsense'])[0]}" for name in SHUT_OUT if name in OPTIONS]
    path.write_text("\n".join(["[customers]", f"password={direct.project.environ.pop(PASSWORD_VARIABLE)}", *lines, ""]))
    direct.project.environ |= {"PGSERVICE": "customers", "PGSERVICEFILE": str(path)}
    _is_as_ever(direct)
    checks = {check["check"]: check for check in direct.ok("doctor", "-o", "json").json["items"]}
    assert checks["environment"]["value"] == "PGSERVICE, PGSERVICEFILE used"


def test_a_service_that_is_not_there_is_named(direct: Site, postgresql_servers: PostgresqlServers) -> None:
    _reach(direct, postgresql_servers, "verify-full")
    direct.project.environ["PGSERVICE"] = "nonesuch"
    result = direct.run("customer", "list", "-o", "json")
    assert result.code == 3
    assert "nonesuch" in result.error["message"]
    assert "unset PGSERVICE" in result.error["hint"]


def test_every_variable_of_this_libpq_is_either_used_or_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in USED | set(SHUT_OUT):
        monkeypatch.setenv(name, "x")
    used, ignored = variables()
    assert set(used) == USED | ({"PGSSLPASSWORD"} & OPTIONS.keys())
    assert set(ignored) == set(SHUT_OUT)
