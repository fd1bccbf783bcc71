"""Logins and TLS on PostgreSQL: what is trusted, who is let in, and what is told where not."""

from __future__ import annotations

import os
import pwd
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ADA, Project
from tests.faults.conftest import Site
from tests.inside import Inside
from tests.servers.certificates import Certificates
from tests.servers.fixtures import PostgresqlServers
from tests.servers.postgresql import CERTIFICATE_USER, PASSWORD, SUPERUSER, TLS_USER, USER, PostgresqlServer
from tests.servers.projects import PASSWORD_VARIABLE, nodes, on_engine, postgresql_place


@pytest.fixture
def server(postgresql_servers: PostgresqlServers) -> PostgresqlServer:
    """The server of the site, which has TLS."""
    return postgresql_servers.shared("postgresql17")


@pytest.fixture
def direct(site: Site, server: PostgresqlServer) -> Site:
    """A site whose `dev` is reached without the proxy, with a verified certificate."""
    _set(site, server)
    return site


@pytest.fixture
def certificates(server: PostgresqlServer) -> Certificates:
    """What the server's certificate is verified with."""
    assert server.certificates is not None
    return server.certificates


def _set(site: Site, server: PostgresqlServer, **changes: object) -> None:
    assert server.certificates is not None
    given = {"nodes": nodes("localhost", server.port), "tls": "verify-full", "tls_ca": str(server.certificates.ca)}
    site.profile(**{**given, **changes})


def _let_read(site: Site, user: str) -> None:
    site.project.sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {user}")


def _refused(site: Site, code: int) -> tuple[str, str]:
    result = site.run("customer", "list", "-o", "json")
    assert result.code == code, result.err
    return result.error["message"], result.error["hint"]


# -- TLS -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tls", ["verify-full", "strict"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_verified_server_is_talked_to(direct: Site, server: PostgresqlServer, tls: str, host: str) -> None:
    _let_read(direct, TLS_USER)
    _set(direct, server, tls=tls, nodes=nodes(host, server.port), user=TLS_USER)
    direct.ok("customer", "list")


@pytest.mark.parametrize("tls", ["verify-full", "strict"])
def test_a_foreign_authority_is_not_trusted(
    direct: Site, server: PostgresqlServer, certificates: Certificates, tls: str
) -> None:
    _set(direct, server, tls=tls, tls_ca=str(certificates.foreign_ca))
    message, hint = _refused(direct, 3)
    assert f"no trustworthy connection to node `a` (localhost:{server.port})" in message
    assert "certificate verify failed" in message
    assert str(certificates.foreign_ca) in hint


def test_a_name_that_the_certificate_has_not_is_not_trusted(
    direct: Site, postgresql_servers: PostgresqlServers
) -> None:
    server = postgresql_servers.own("postgresql17", start=False)
    server.start(listen_addresses="127.0.0.1,127.0.0.2")
    _set(direct, server, nodes=nodes("127.0.0.2", server.port))
    message, hint = _refused(direct, 3)
    server.close()
    assert 'does not match host name "127.0.0.2"' in message
    assert "`database.nodes`" in hint


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_of_authorities_that_is_no_such_is_named(
    direct: Site, server: PostgresqlServer, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    _set(direct, server, tls_ca=str(path))
    message, hint = _refused(direct, 3)
    assert str(path) in message
    assert "`database.tls_ca`" in hint


def test_without_a_file_the_systems_authorities_are_trusted(
    direct: Site, server: PostgresqlServer, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    _set(direct, server, tls_ca=None)
    message, hint = _refused(direct, 3)
    assert "certificate verify failed" in message
    assert "the system's authorities" in hint
    assert "`SSL_CERT_FILE`" in hint
    direct.project.environ["SSL_CERT_FILE"] = str(certificates.ca)
    direct.ok("customer", "list")
    del direct.project.environ["SSL_CERT_FILE"]
    # A stand-in for a system that trusts this authority.
    paths = ssl.DefaultVerifyPaths(str(certificates.ca), "", "SSL_CERT_FILE", "", "SSL_CERT_DIR", "")
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    direct.ok("customer", "list")


def test_the_drivers_own_file_of_authorities_is_used(
    direct: Site, server: PostgresqlServer, certificates: Certificates
) -> None:
    _set(direct, server, tls_ca=None)
    folder = Path(direct.project.environ["HOME"]) / ".postgresql"
    folder.mkdir()
    (folder / "root.crt").write_bytes(certificates.ca.read_bytes())
    direct.ok("customer", "list")


@pytest.mark.parametrize("tls", ["require", "verify-full", "strict"])
def test_a_server_without_tls_is_refused(
    direct: Site, server: PostgresqlServer, postgresql_servers: PostgresqlServers, tls: str
) -> None:
    bare = postgresql_servers.shared("postgresql18")
    _set(direct, server, tls=tls, nodes=nodes("127.0.0.1", bare.port))
    message, hint = _refused(direct, 3)
    assert f"no trustworthy connection to node `a` (127.0.0.1:{bare.port})" in message
    assert "TLS" in hint or "database.tls" in hint


def test_a_login_that_needs_tls_is_told_so(direct: Site, server: PostgresqlServer) -> None:
    _set(direct, server, tls="off", tls_ca=None, user=TLS_USER)
    message, hint = _refused(direct, 4)
    assert f"refuses the login of `{TLS_USER}`" in message
    assert "`database.tls`" in hint


# -- certificates ----------------------------------------------------------------------------------


def test_a_clients_certificate_is_taken_from_where_libpq_looks(
    direct: Site, server: PostgresqlServer, certificates: Certificates
) -> None:
    environ = direct.project.environ
    del environ[PASSWORD_VARIABLE]
    _let_read(direct, CERTIFICATE_USER)
    _set(direct, server, user=CERTIFICATE_USER, auth="certificate")
    message, hint = _refused(direct, 4)
    assert "certificate" in message
    assert "`PGSSLCERT`" in hint
    environ |= {"PGSSLCERT": str(certificates.client), "PGSSLKEY": str(certificates.client_key)}
    direct.ok("customer", "list")
    del environ["PGSSLCERT"], environ["PGSSLKEY"]
    folder = Path(environ["HOME"]) / ".postgresql"
    folder.mkdir()
    for name, path in (("postgresql.crt", certificates.client), ("postgresql.key", certificates.client_key)):
        (folder / name).write_bytes(path.read_bytes())
        (folder / name).chmod(0o600)
    direct.ok("customer", "list")
    # Somebody else's name.
    _set(direct, server, user=USER, auth="certificate")
    _refused(direct, 4)


# -- passwords -------------------------------------------------------------------------------------


def test_a_wrong_password_is_refused(direct: Site, server: PostgresqlServer) -> None:
    direct.project.environ[PASSWORD_VARIABLE] = "wrong"
    message, hint = _refused(direct, 4)
    assert f"node `a` (localhost:{server.port}) refuses the login of `{USER}`" in message
    assert "custctl credential check" in hint


def test_without_any_password_the_ways_out_are_named(direct: Site) -> None:
    del direct.project.environ[PASSWORD_VARIABLE]
    message, hint = _refused(direct, 4)
    assert f"no password for user `{USER}` at `localhost`" in message
    for way in ("custctl credential set", "CUSTCTL_DB_PASSWORD_FILE", "CUSTCTL_DB_PASSWORD"):
        assert way in hint


@pytest.fixture
def without(direct: Site) -> Site:
    """A site with no password of custctl's own."""
    del direct.project.environ[PASSWORD_VARIABLE]
    return direct


def _write_password_file(path: Path, *lines: str, mode: int = 0o600) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    path.chmod(mode)
    return path


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace(":", "\\:")


def _is_used(site: Site, source: str) -> None:
    assert site.ok("customer", "list", "-o", "json").json["items"] == []
    places = site.ok("credential", "check", "-o", "json").json["items"]
    assert [place["source"] for place in places if place["state"] == "used"] == [source]
    assert f"credential: {source}" in site.ok("credential", "check").err
    checks = {check["check"]: check for check in site.ok("doctor", "-o", "json").json["items"]}
    assert (checks["credential"]["state"], checks["credential"]["value"]) == ("ok", source)


@pytest.mark.parametrize("entry", ["*:*:*:*:{}", "localhost:{port}:{name}:custctl:{}", "localhost:*:*:cust\\ctl:{}"])
@pytest.mark.parametrize("named", [True, False])
def test_a_password_file_of_libpq_is_used(without: Site, server: PostgresqlServer, entry: str, named: bool) -> None:
    home = Path(without.project.environ["HOME"])
    line = entry.format(_escaped(PASSWORD), port=server.port, name=without.project.names["dev"])
    path = _write_password_file(home / ("passwords" if named else ".pgpass"), "# those of custctl", "a:b:c:d:e", line)
    if named:
        without.project.environ["PGPASSFILE"] = str(path)
    _is_used(without, str(path))


@pytest.mark.parametrize(
    ("line", "mode"),
    [
        ("elsewhere:*:*:*:x", 0o600),
        ("*:*:*:custctl:x", 0o644),
        ("#*:*:*:*:x", 0o600),
        ("*:*:*:custctl", 0o600),
        ("*:*:*:some\\:custctl:x", 0o600),
    ],
)
def test_a_password_file_that_does_not_serve_is_no_source(without: Site, line: str, mode: int) -> None:
    _write_password_file(Path(without.project.environ["HOME"]) / ".pgpass", line, mode=mode)
    message, _ = _refused(without, 4)
    assert "no password for user" in message
    assert without.run("credential", "check").code == 4


def test_a_wrong_password_from_a_file_is_told_with_the_file(without: Site) -> None:
    path = _write_password_file(Path(without.project.environ["HOME"]) / ".pgpass", "*:*:*:*:wrong")
    message, hint = _refused(without, 4)
    assert "password authentication failed" in message
    assert hint == f"the password comes from `{path}`"


def test_a_password_of_custctls_own_comes_first(direct: Site) -> None:
    path = _write_password_file(Path(direct.project.environ["HOME"]) / ".pgpass", "*:*:*:*:wrong")
    direct.project.environ["PGPASSWORD"] = "wrong"
    _is_used(direct, PASSWORD_VARIABLE)
    places = direct.ok("credential", "check", "-o", "json").json["items"]
    assert places[-1] == {"source": "PGPASSWORD", "state": "shadowed", "problem": None, "hint": None}
    assert path.exists()


def test_the_variable_of_libpq_is_used(without: Site) -> None:
    without.project.environ["PGPASSWORD"] = PASSWORD
    _is_used(without, "PGPASSWORD")


@pytest.mark.parametrize("named", [True, False])
def test_a_service_of_libpq_is_used(without: Site, tmp_path: Path, named: bool) -> None:
    home = Path(without.project.environ["HOME"])
    path = tmp_path / "services" if named else home / ".pg_service.conf"
    path.write_text(f"[customers]\npassword={PASSWORD}\nhost=nowhere.invalid\nhostaddr=127.0.0.9\nport=1\n")
    without.project.environ["PGSERVICE"] = "customers"
    if named:
        without.project.environ["PGSERVICEFILE"] = str(path)
    # Where the nodes are is the profile's to say.
    _is_used(without, "service customers")


def test_a_servers_address_in_the_environment_leads_nowhere_else(direct: Site) -> None:
    direct.project.environ |= {"PGHOSTADDR": "127.0.0.9", "PGHOST": "nowhere.invalid", "PGPORT": "1", "PGDATABASE": "x"}
    direct.ok("customer", "list")


def test_a_database_that_is_not_there_is_named(direct: Site, server: PostgresqlServer) -> None:
    direct.project.names["dev"] = "nonesuch"
    _set(direct, server)
    message, hint = _refused(direct, 3)
    assert message == f'node `a` (localhost:{server.port}): database "nonesuch" does not exist'
    assert "`database.name`" in hint


def test_a_database_that_one_may_not_enter_is_told_as_a_missing_privilege(
    direct: Site, server: PostgresqlServer
) -> None:
    name = direct.project.names["dev"]
    direct.project.sql(f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC")
    _set(direct, server, user=TLS_USER)
    message, hint = _refused(direct, 4)
    assert f'permission denied for database "{name}"' in message
    assert "administrator" in hint


def test_a_server_that_takes_no_more_sessions_is_unavailable(direct: Site, server: PostgresqlServer) -> None:
    name = direct.project.names["dev"]
    direct.project.sql(f"ALTER DATABASE {name} CONNECTION LIMIT 0")
    message, hint = _refused(direct, 3)
    assert "too many connections" in message
    assert hint == "try again in a moment"


# -- the socket ------------------------------------------------------------------------------------


@pytest.fixture
def socket_site(project: Project, own_postgresql: PostgresqlServer) -> Iterator[Inside]:
    """A project whose `dev` is reached over a server's socket, as the system's user."""
    me = pwd.getpwuid(os.geteuid()).pw_name
    access = own_postgresql.folder / "data" / "pg_hba.conf"
    access.write_text(f'local all "{me}" peer\n{access.read_text()}')
    if me != "postgres":
        own_postgresql.create_role(me, None, superuser=True)
    own_postgresql.sql("SELECT pg_reload_conf()")
    made = on_engine(project, postgresql_place(own_postgresql))
    del made.environ[PASSWORD_VARIABLE]
    reached = nodes(str(own_postgresql.folder), own_postgresql.port)
    made.profile("dev", "development", nodes=reached, user=me, auth="integrated", tls=None)
    yield Inside(made.path, made.environ)
    made.drop()


def test_a_peer_logs_in_over_the_socket(socket_site: Inside) -> None:
    socket_site.ok("migrate")
    socket_site.ok("customer", "add", *ADA)
    assert len(socket_site.ok("customer", "list", "-o", "json").json["items"]) == 1


def test_nobody_else_logs_in_over_the_socket(socket_site: Inside) -> None:
    path = socket_site.path / "profiles" / "dev.yaml"
    me = pwd.getpwuid(os.geteuid()).pw_name
    path.write_text(path.read_text().replace(f"user: {me}\n", f"user: {USER}\n"))
    result = socket_site.run("customer", "list", "-o", "json")
    assert result.code == 4
    assert f"refuses the login of `{USER}`" in result.error["message"]


def test_a_trusted_login_by_password_goes_without_one(socket_site: Inside) -> None:
    """Whether it takes one is for the server to say: here the superuser is trusted on the socket."""
    path = socket_site.path / "profiles" / "dev.yaml"
    me = pwd.getpwuid(os.geteuid()).pw_name
    text = (
        path.read_text().replace(f"user: {me}\n", f"user: {SUPERUSER}\n").replace("auth: integrated", "auth: password")
    )
    path.write_text(text)
    socket_site.ok("migrate")
    checks = {check["check"]: check for check in socket_site.ok("doctor", "-o", "json").json["items"]}
    assert checks["credential"]["state"] == "ok"
    assert checks["credential"]["value"].startswith("none found")
