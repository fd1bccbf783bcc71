"""Passwords and hashes: any password works, and none of them shows, whatever fails and however much is told."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator

import pytest
import yaml

from custctl.engines import open_database
from custctl.engines.base import EngineSettings
from custctl.engines.model import Node
from custctl.support.errors import CustctlError
from tests.conftest import ADA, Project
from tests.faults.conftest import Commands, Site
from tests.inside import Inside
from tests.servers import ports
from tests.servers.fixtures import PostgresqlServers
from tests.servers.projects import PASSWORD_VARIABLE, nodes

TOLD_ALL = ("--debug", "-v", "-v", "-o", "json")
# Each is known by its first characters, wherever a part of it should show.
NASTY = [
    "Sesame'quote\"double",
    "Sesame;PWD={x};UID=sa",
    "Sesame}}brace{",
    "Sesame%20%s%(x)s%%",
    "Sesame with blanks ",
    " Sesame after a blank",
    "Sesame\\back\\slash\\",
    "Sesame=host=/tmp user=x",
    "Sesame\ttab\nline",
    "Sesame ünïcödé 𐍈 ﬃ e\u0301",
    "Sesame@host:5432/db?x#y",
    "Sesame$HOME`id`$(id)",
    "Sesame" * 150,
]
WORD = "Sesame"


def _hidden(text: str) -> None:
    assert WORD not in text
    assert "esame" not in text


@pytest.mark.parametrize("password", NASTY, ids=range(len(NASTY)))
def test_any_password_logs_in_and_none_shows(site: Site, password: str) -> None:
    database = site.project.databases["dev"]
    name = f"nasty_{site.project.names['dev']}"
    database.create_role(name, password)  # type: ignore[attr-defined]
    site.project.sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}")
    site.profile(user=name)
    environ = site.project.environ
    environ[PASSWORD_VARIABLE] = password
    done = site.ok("customer", "list", *TOLD_ALL)
    _hidden(done.out + done.err)
    file = site.project.path / "password"
    file.write_text(f"{password}\n", newline="")
    del environ[PASSWORD_VARIABLE]
    environ["CUSTCTL_DB_PASSWORD_FILE"] = str(file)
    site.ok("customer", "list")


# -- what fails ------------------------------------------------------------------------------------

_FAULTS = ["refused", "silent", "garbage", "closing"]


@pytest.fixture
def secretive(project: Project) -> Inside:
    """A project in which the password is a nasty one."""
    project.environ[PASSWORD_VARIABLE] = NASTY[1]
    return Inside(project.path, project.environ)


def _place(project: Project, engine: str, port: int, tls: str) -> None:
    database = {
        "engine": engine,
        "name": "customers",
        "user": "custctl",
        "auth": "password",
        "nodes": nodes("127.0.0.1", port),
        "tls": tls,
        "connect_timeout": "1s",
    }
    text = yaml.safe_dump({"environment": "development", "database": database})
    (project.path / "profiles" / "dev.yaml").write_text(text)


@pytest.mark.parametrize("engine", ["postgresql", "mssql"])
@pytest.mark.parametrize("fault", _FAULTS)
def test_no_fault_of_the_network_shows_the_password(secretive: Inside, engine: str, fault: str) -> None:
    with getattr(ports, fault)() as port:
        for tls in ("require", "verify-full"):
            _place(secretive, engine, port, tls)
            result = secretive.run("customer", "list", *TOLD_ALL)
            assert result.code == 3
            assert "Traceback" in result.err
            _hidden(result.out + result.err)


@pytest.mark.parametrize("engine", ["postgresql", "mssql"])
def test_no_command_that_tells_of_the_login_shows_the_password(secretive: Inside, engine: str) -> None:
    with ports.refused() as port:
        _place(secretive, engine, port, "verify-full")
        for command in (("doctor",), ("profile", "show", "dev"), ("credential", "check")):
            told = secretive.run(*command, *TOLD_ALL)
            assert told.out
            _hidden(told.out + told.err)


@pytest.fixture
def faulty(site: Site, postgresql_servers: PostgresqlServers) -> Iterator[Site]:
    """A site whose password is not the server's."""
    site.project.environ[PASSWORD_VARIABLE] = NASTY[0]
    yield site


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, 4),
        ({"user": "nonesuch"}, 4),
        ({"tls": "verify-full"}, 3),
        ({"tls": "strict"}, 3),
        ({"tls": "verify-full", "tls_ca": "/nonexistent.pem"}, 3),
        ({"user": "certuser"}, 4),
    ],
    ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else "",
)
def test_no_refusal_shows_the_password(faulty: Site, changes: dict[str, str], code: int) -> None:
    faulty.profile(**changes)
    result = faulty.inside.run("customer", "list", *TOLD_ALL)
    assert result.code == code
    assert "Traceback" in result.err
    _hidden(result.out + result.err)


def test_a_lost_connection_does_not_show_the_password(site: Site) -> None:
    site.project.environ |= {"CUSTCTL_DB_PASSWORD": site.project.environ[PASSWORD_VARIABLE]}
    site.proxy.cut_before(b"INSERT")
    result = site.inside.run("customer", "add", *ADA, *TOLD_ALL)
    assert result.code == 3
    assert site.project.environ[PASSWORD_VARIABLE] not in result.out + result.err
    assert "s3cret" not in result.out + result.err


# -- what is held in memory ------------------------------------------------------------------------


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    left = [error]
    while left:
        found = left.pop()
        if found is not None and id(found) not in seen:
            seen.add(id(found))
            yield found
            left += [found.__cause__, found.__context__]


@pytest.mark.parametrize("engine", ["postgresql", "mssql"])
@pytest.mark.parametrize("fault", _FAULTS)
def test_nothing_that_can_be_printed_holds_the_password(engine: str, fault: str) -> None:
    with getattr(ports, fault)() as port:
        settings = EngineSettings(
            location="somewhere",
            connect_timeout=1,
            nodes=[Node("a", "127.0.0.1", port)],
            name="customers",
            schema="public",
            user="custctl",
            auth="password",
            tls="verify-full",
            password=lambda: NASTY[1],
        )
        database = open_database(engine, settings)
        shown: list[object] = [settings, database, vars(database)]
        with pytest.raises(CustctlError) as caught, database.reading():
            pass
        for error in _chain(caught.value):
            shown += [error, error.args, vars(error), getattr(error, "__notes__", None)]
        for thing in shown:
            _hidden(repr(thing) + str(thing))


# -- other processes -------------------------------------------------------------------------------


def test_no_other_process_is_told_the_password(site: Site) -> None:
    site.ok("customer", "add", *ADA)
    seen = site.project.path / "seen"
    editor = site.project.path / "editor"
    editor.write_text(
        f"#!{sys.executable}\n"
        "import glob, os, pathlib\n"
        "lines = [pathlib.Path(path).read_bytes() for path in glob.glob('/proc/[0-9]*/cmdline') if os.path.exists(path)]\n"
        f"pathlib.Path({str(seen)!r}).write_bytes(b'\\n'.join(lines) + repr(dict(os.environ)).encode())\n"
    )
    editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
    site.project.environ |= {"EDITOR": str(editor), "PGPASSWORD": NASTY[0]}
    commands = Commands(site.project)
    result = commands.end(commands.start("customer", "edit", ADA[1]), 15)
    assert result.code == 0, result.err
    told = seen.read_text(errors="replace")
    assert "custctl" in told
    assert "s3cret" not in told
    _hidden(told)


# -- hashes ----------------------------------------------------------------------------------------

_VIOLATED = [
    "ALTER TABLE customer_password ADD COLUMN wanted TEXT NOT NULL",
    "ALTER TABLE customer_password ADD CONSTRAINT short CHECK (length(hash) < 10)",
    "ALTER TABLE customer_password ALTER COLUMN hash TYPE VARCHAR(10)",
    "ALTER TABLE customer_password ALTER COLUMN hash TYPE BIGINT USING 0",
]


@pytest.mark.parametrize("change", _VIOLATED, ids=range(len(_VIOLATED)))
@pytest.mark.parametrize("more", [("-o", "json"), TOLD_ALL], ids=["told", "debug"])
def test_a_hash_that_the_database_quotes_is_not_shown(site: Site, change: str, more: tuple[str, ...]) -> None:
    site.ok("customer", "add", *ADA)
    site.project.sql("ALTER TABLE customer_password DROP CONSTRAINT customer_password_argon2id")
    site.project.sql(change)
    result = site.inside.run(
        "customer", "set-password", ADA[1], "--stdin", *more, stdin="Sesame opens a mountain 7\n", timeout=60
    )
    assert result.code != 0
    assert ("Traceback" in result.err) == ("--debug" in more)
    assert "argon2id" not in result.err.replace("customer_password_argon2id", "")
    assert "$m=" not in result.err
    _hidden(result.out + result.err)


def test_the_server_does_quote_the_hash(site: Site) -> None:
    """That nothing shows is the program's doing: the driver's own error has it."""
    import psycopg

    site.ok("customer", "add", *ADA)
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        site.project.sql("INSERT INTO customer_password (customer_id, hash, updated_at) VALUES (1, 'argon2 x', now())")
    assert "argon2 x" in (caught.value.diag.message_detail or "")
