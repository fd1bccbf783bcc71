"""Tokens that the database itself checks: PostgreSQL 18's OAUTHBEARER, Entra's on SQL Server, AWS's for RDS."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from custctl.api.opened import Opened
from custctl.api.reporting import Log
from custctl.engines.base import EngineSettings
from custctl.engines.model import Node
from custctl.engines.mssql.driver import Driver, connection_string, with_token
from custctl.engines.postgresql.database import PostgresqlDatabase
from custctl.engines.postgresql.oauth import hand_over
from custctl.identity.login import session
from custctl.identity.login.keeping import Kept
from custctl.identity.login.rds import rds_token
from custctl.profiles.credentials import Secret
from custctl.support.errors import CredentialError, UnavailableError
from tests.login.conftest import Desk
from tests.servers import bearer
from tests.servers.bearer import ISSUER
from tests.servers.postgresql import USER, PostgresqlServer


def keep_token(desk: Desk, token: str, *, seconds: float = 600) -> None:
    """Let somebody be logged in with an access token."""
    now = time.time()
    desk.keep(ISSUER, Kept({"sub": "olga", "groups": ["dba"]}, now + 600, Secret(token), now + seconds))


def test_postgresql_checks_the_token_and_the_audit_names_both(desk: Desk, checking_server: PostgresqlServer) -> None:
    bearer.write_profile(desk.project, checking_server.create_database())

    keep_token(desk, "olga.valid")
    desk.ok("migrate")
    added = desk.ok(
        "customer", "add", "--email", "a@example.com", "--first-name", "A", "--last-name", "B", "-o", "json"
    )
    entry = desk.ok("audit", "list", "--customer", str(added.json["id"]), "-o", "json").json["items"][0]
    assert (entry["actor"], entry["login"]) == ("olga", USER)
    checks = {item["check"]: item for item in desk.run("doctor", "-o", "json").json["items"]}
    assert checks["operators"]["value"] == f"{ISSUER}; the database checks the token of each operator"

    # Neither another person's token, nor one that the database refuses, nor an old one.
    for token in ("eve.valid", "olga.forged"):
        keep_token(desk, token)
        error = desk.refused(4, "customer", "list")
        assert token not in str(error)
    keep_token(desk, "olga.valid", seconds=-5)
    assert desk.refused(4, "customer", "list")["message"] == f"the login at `{ISSUER}` has expired"


def test_a_connection_late_in_a_long_run_gets_a_fresh_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "dev.yaml").write_text(
        "environment: development\n"
        "database: {engine: postgresql, user: custctl, auth: oauth, nodes: [{host: h}]}\n"
        f"login: {{issuer: '{ISSUER}', client_id: custctl, roles: {{admin: dba}}}}\n"
    )
    now = time.time()
    claims = {"sub": "olga", "groups": ["dba"]}
    # The claims outlive the access token.
    held = [Kept(claims, now + 7200, Secret("first"), now + 600)]
    monkeypatch.setattr(session, "read_kept", lambda *_: held[0])
    environ = {"XDG_STATE_HOME": str(tmp_path)}
    opened = Opened(
        "dev", profiles_dir=None, sql_dir=None, environ=environ, cwd=tmp_path, actor=None, tell=Log(),
    )  # fmt: skip
    token = opened._token()
    renew = opened._renew_token
    assert token is not None
    renew()
    assert (token("h", 5432), opened.is_login_over) == ("first", False)

    held[0] = Kept(claims, now + 7200, Secret("second"), now + 1200)
    monkeypatch.setattr(time, "time", lambda: now + 590)
    assert opened.is_login_over
    renew()
    assert (token("h", 5432), opened.is_login_over) == ("second", False)

    monkeypatch.setattr(time, "time", lambda: now + 1190)
    with pytest.raises(CredentialError, match="has expired") as expired:
        renew()
    # The server decides, where it is only asked whether it lives.
    assert token("h", 5432) == "second"
    assert expired.value.hint == "run `custctl login`"


def test_a_token_that_libpq_would_not_send_is_refused() -> None:
    with pytest.raises(CredentialError, match="characters that PostgreSQL does not accept"):
        hand_over(ISSUER, "a token")


def test_sql_server_gets_the_token_in_place_of_every_other_proof() -> None:
    settings = EngineSettings("x", name="c", user="olga@example.com", auth="entra", token=lambda _host, _port: "abc")
    text = connection_string(Driver("D", "x"), settings, Node("a", "sql1", 1433), None)
    assert "UID" not in text
    assert "PWD" not in text
    assert "Authentication" not in text
    assert "Trusted_Connection" not in text
    assert with_token("abc") == {1256: b"\x06\x00\x00\x00a\x00b\x00c\x00"}
    assert with_token(None) == {}
    assert "abc" not in repr(settings)


def test_rds_gets_a_token_that_is_signed_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in (("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "not-a-secret")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    token = rds_token("db.abc.eu-west-1.rds.amazonaws.com", 5432, "ada+b@x", {})
    parts = urlsplit(f"//{token.reveal()}")
    asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert parts.netloc == "db.abc.eu-west-1.rds.amazonaws.com:5432"
    assert (asked["Action"], asked["DBUser"], asked["X-Amz-Expires"]) == ("connect", "ada+b@x", "900")
    assert asked["X-Amz-Credential"].endswith("/eu-west-1/rds-db/aws4_request")
    with pytest.raises(CredentialError, match=r"region of `db\.internal`"):
        monkeypatch.delenv("AWS_REGION", raising=False)
        monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
        rds_token("db.internal", 5432, "ada", {})


def test_an_expired_aws_credential_says_nothing_about_the_server() -> None:
    def expired(_host: str, _port: int) -> str:
        raise CredentialError("the AWS credential cannot be used")

    node = Node("a", "127.0.0.1", 1)
    database = PostgresqlDatabase(EngineSettings("x", nodes=[node], name="c", auth="rds-iam", token=expired))
    # A long statement goes on; that nothing else answers is noticed.
    database._knock(node)
    database.settings = database.settings._replace(token=lambda _host, _port: "token")
    with pytest.raises(UnavailableError):
        database._knock(node)


def test_tokens_need_what_the_profile_says(desk: Desk) -> None:
    server = "environment: development\ndatabase: {engine: postgresql, nodes: [{host: h}], auth: %s}\n"
    path = desk.project.path / "profiles" / "dev.yaml"
    for auth, missing in (("oauth", "`login` is missing"), ("rds-iam", "`database.user` is missing")):
        path.write_text(server % auth)
        result = desk.run("profile", "validate", "dev")
        assert result.code == 2
        assert missing in result.out + result.err
