"""Profiles: the search, the strict reading, what is refused, and where each value came from."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from custctl.profiles import (
    Accounts,
    Auth,
    Environment,
    Node,
    Profile,
    Tls,
    document,
    find_profiles,
    load_profile,
    profile_names,
)
from custctl.support.errors import ExitCode, RefusedError, UsageError

SQLITE = "environment: development\ndatabase: {engine: sqlite, path: x.db}\n"
ENGINE_NAMES = "one of `sqlite`, `postgresql`, `mssql`"
SERVER = "environment: test\ndatabase: {engine: postgresql, name: c, nodes: [{name: a, host: localhost}]}\n"
FULL = """\
environment: production
database:
  engine: mssql
  name: customers
  schema: dbo
  user: custctl
  auth: password
  nodes:
    - {name: sql1, host: sql1.internal, port: 1433}
    - {name: sql2, host: sql2.internal, port: 1433}
  tls: verify-full
  tls_ca: /etc/ssl/certs/internal.pem
  connect_timeout: 5s
  statement_timeout: 30s
  replication: {driver: availability-group, group: ag_customers, max_lag: 5s}
  hooks: {fence: [systemctl-on, "{node}", stop]}
  reads: replica
cache: {url: rediss://cache.internal:6380/0, ttl: 10m}
seed: [reference]
"""

EVERYTHING = (
    FULL.replace("max_lag: 5s", "max_lag: 5s, experimental: true").replace(
        "ttl: 10m", "ttl: 1h, tls_ca: /etc/cache.pem, encrypt: true"
    )
    + """\
identity: {provider: scim, url: https://idp.internal/scim, on_delete: disable, timeout: 3s, tls_ca: /etc/idp.pem}
login:
  issuer: https://login.internal
  client_id: custctl
  scopes: [openid, profile]
  claim: teams
  roles: {support: [helpdesk, phone], admin: [dba]}
"""
)

Load = Callable[..., Profile]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Write a profile to `./profiles` and load it."""

    def write_and_load(text: str | bytes, name: str = "p", **environ: str) -> Profile:
        folder = tmp_path / "profiles"
        folder.mkdir(exist_ok=True)
        raw = text if isinstance(text, bytes) else textwrap.dedent(text).encode()
        (folder / f"{name}.yaml").write_bytes(raw)
        environ = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_DATA_HOME": str(tmp_path / "data"), **environ}
        return load_profile(name, profiles_dir=None, environ=environ, cwd=tmp_path)

    return write_and_load


def refused(load: Load, text: str | bytes, **environ: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        load(text, **environ)
    assert caught.value.exit_code is ExitCode.USAGE
    return caught.value


# What is read


def test_the_contract_s_example(load: Load) -> None:
    profile = load(FULL)
    database = profile.database
    assert profile.environment is Environment.PRODUCTION
    assert profile.is_protected
    assert database.nodes == (Node("sql1", "sql1.internal", 1433), Node("sql2", "sql2.internal", 1433))
    assert (database.auth, database.tls, database.reads) == ("password", "verify-full", "replica")
    assert database.tls_ca == Path("/etc/ssl/certs/internal.pem")
    assert (database.connect_timeout, database.statement_timeout) == (5.0, 30.0)
    assert (database.replication.driver, database.replication.group) == ("availability-group", "ag_customers")
    assert database.hooks == {"fence": ["systemctl-on", "{node}", "stop"]}
    assert profile.cache is not None
    assert (profile.cache.url, profile.cache.ttl) == ("rediss://cache.internal:6380/0", 600.0)
    assert profile.seed == ("reference",)
    assert profile.location == "mssql customers at sql1.internal:1433, sql2.internal:1433"


def test_two_lines_are_enough_for_sqlite(load: Load, tmp_path: Path) -> None:
    profile = load(SQLITE)
    assert profile.database.path == tmp_path / "x.db"
    assert profile.location == f"sqlite {tmp_path / 'x.db'}"
    assert (profile.cache, profile.seed, profile.bundled, profile.is_protected) == (None, (), False, False)


def test_and_for_a_server(load: Load) -> None:
    database = load(SERVER).database
    assert database.nodes == (Node("a", "localhost", 5432),)
    assert (database.schema, database.tls, database.auth, database.user) == ("public", Tls.OFF, Auth.INTEGRATED, None)


def test_defaults_of_a_server(load: Load) -> None:
    profile = load("environment: staging\ndatabase: {engine: mssql, user: u, nodes: [{host: h1}, {host: h2}]}\n")
    database = profile.database
    assert [node.name for node in database.nodes] == ["h1", "h2"]
    assert (database.name, database.schema, database.nodes[0].port) == ("customers", "dbo", 1433)
    assert (database.tls, database.auth) == (Tls.VERIFY_FULL, Auth.PASSWORD)
    assert profile.origins["database.tls"] == "default"
    assert (database.connect_timeout, database.statement_timeout) == (5.0, 30.0)


def test_settings_of_a_server_other_than_the_defaults(load: Load) -> None:
    text = FULL.replace("connect_timeout: 5s", "connect_timeout: 7s").replace("timeout: 30s", "timeout: 0s")
    text = text.replace("max_lag: 5s", "max_lag: 1500ms, experimental: true").replace(
        "ttl: 10m", "ttl: 1h, encrypt: true"
    )
    profile = load(text.replace("reads: replica", "reads: primary"))
    database = profile.database
    assert (database.connect_timeout, database.statement_timeout, database.reads) == (7.0, 0.0, "primary")
    assert database.replication == ("availability-group", "ag_customers", 1.5, True)
    assert profile.cache == ("rediss://cache.internal:6380/0", 3600.0, None, True)


def test_sql_server_is_never_spoken_to_in_the_clear(load: Load) -> None:
    assert load(SERVER).database.tls is Tls.OFF
    assert load(SERVER.replace("postgresql", "mssql")).database.tls is Tls.REQUIRE


def test_absolute_paths_stay_and_links_are_followed(load: Load, tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "real.db")
    assert load(SQLITE.replace("x.db", "/srv/c.db")).database.path == Path("/srv/c.db")
    assert load(SQLITE.replace("x.db", "link.db")).database.path == tmp_path / "real.db"
    assert load(SQLITE.replace("x.db", "./~/c.db")).database.path == tmp_path / "~" / "c.db"


def test_a_home_folder_is_put_in(load: Load, tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert load(SQLITE.replace("x.db", "~/c.db"), HOME=str(home)).database.path == home / "c.db"
    assert load(SQLITE.replace("x.db", "'${AT}/c.db'"), HOME=str(home), AT="~").database.path == home / "c.db"
    text = SERVER.replace("name: c,", "name: c, tls_ca: ~/ca.pem, hooks: {fence: [~/bin/fence, ~/x]},")
    profile = load(f"{text}cache: {{url: redis://h, tls_ca: ~/ca.pem}}\n", HOME=f"{home}/")
    assert profile.cache is not None
    assert profile.database.tls_ca == profile.cache.tls_ca == home / "ca.pem"
    # The program alone: what its arguments mean is its own affair.
    assert profile.database.hooks == {"fence": [f"{home}/bin/fence", "~/x"]}
    user = pwd.getpwuid(os.getuid())
    assert load(SQLITE.replace("x.db", f"~{user.pw_name}/c.db")).database.path == Path(user.pw_dir, "c.db")
    for path in ("~nobody_of_that_name/c.db", "~nobody_of_that_name"):
        assert "p.yaml:2: cannot find the home folder `~nobody" in refused(load, SQLITE.replace("x.db", path)).message
    for bare, path in (("$HOME", "$HOME/c.db"), ("$USER", "/tmp/$USER/c.db"), ("%HOME%", "'%HOME%/c.db'")):
        assert f"`{bare}` in `database.path` is not a variable" in refused(load, SQLITE.replace("x.db", path)).message


def test_a_path_may_have_a_dollar_sign(load: Load, tmp_path: Path) -> None:
    hint = refused(load, SQLITE.replace("x.db", "$data/c.db")).hint
    assert "write `${data}`, or `$$data` for a name with a dollar sign" in str(hint)
    for path in ("$$data/c.db", "${ABSENT:-$$data}/c.db", "${AT}/c.db"):
        assert load(SQLITE.replace("x.db", f"'{path}'"), AT="$data").database.path == tmp_path / "$data" / "c.db"
    message = refused(load, SQLITE.replace("x.db", "'${ABSENT:-$HOME}/c.db'")).message
    assert "`$HOME` in `database.path` is not a variable" in message
    profile = load(SERVER.replace("name: c,", "name: c, tls_ca: $$a/ca.pem, hooks: {fence: [/srv/$$bin/fence]},"))
    assert (profile.database.tls_ca, profile.database.hooks) == (
        tmp_path / "$a" / "ca.pem",
        {"fence": ["/srv/$bin/fence"]},
    )


# What means nothing

NODE = "[{name: a, host: localhost}]"


@pytest.mark.parametrize(
    "nodes",
    [
        "{host: db}, {host: db, name: b}",
        "{host: db.internal}, {host: DB.Internal., name: b, port: 5432}",
        "{host: db, port: 1, name: a}, {host: x}, {host: db, port: 1, name: b}",
        "{host: '::1', name: a}, {host: '0:0:0:0:0:0:0:1', name: b}",
        "{host: 'fe80::A%eth0', name: a}, {host: 'fe80::a%eth0', name: b}",
        "{host: /run/postgresql, name: a}, {host: /run/postgresql/, name: b}",
        "{host: /run/postgresql, name: a}, {host: /run/x/..//./postgresql, name: b}",
        "{host: localhost, name: a}, {host: 127.0.0.1, name: b}",
        "{host: LocalHost., name: a}, {host: '::1', name: b}",
        "{host: 127.0.0.1, name: a}, {host: '127.1', name: b}",
        "{host: 10.0.0.1, name: a}, {host: '::ffff:10.0.0.1', name: b}",
        "{host: 10.0.0.8, name: a}, {host: 0xA.0.0.010, name: b}",
        "{host: '${A:-db}', name: a}, {host: '${B:-DB}', name: b}",
    ],
)
def test_two_nodes_at_one_place_are_refused(load: Load, nodes: str) -> None:
    error = refused(load, SERVER.replace(NODE, f"[{nodes}]"))
    assert error.message.startswith("profiles/p.yaml:2: `database.nodes.")
    assert "at the same host and port as the node `" in error.message


def test_nodes_at_places_of_their_own(load: Load) -> None:
    for nodes in (
        "{host: db, name: a}, {host: db, name: b, port: 5433}",
        "{host: db1, name: a}, {host: db2, name: b}",
        "{host: 'fe80::a%eth0', name: a}, {host: 'fe80::a%eth1', name: b}",
        "{host: /run/a, name: a}, {host: /run/A, name: b}",
        "{host: 127.0.0.1, name: a}, {host: 127.0.0.2, name: b}",
    ):
        assert len(load(SERVER.replace(NODE, f"[{nodes}]")).database.nodes) == 2


def test_two_apis_of_patroni_at_one_place_are_refused(load: Load) -> None:
    nodes = "[{host: db, name: a}, {host: db, name: b, port: 5433}]"
    text = SERVER.replace(NODE, f"{nodes}, replication: {{driver: patroni}}")
    assert "has Patroni at the same host and port as the node `a`" in refused(load, text).message
    assert load(text.replace("port: 5433", "port: 5433, api_port: 8009")).database.nodes[1].api_port == 8009


_NODES = st.lists(
    st.tuples(
        st.sampled_from(["db", "DB", "db.", "::1", "0::1", "localhost", "other"]), st.sampled_from([None, 5432, 5433])
    ),
    min_size=1,
    max_size=4,
)


@given(_NODES)
def test_a_profile_s_nodes_are_at_places_of_their_own(places: list[tuple[str, int | None]]) -> None:
    items = [
        f"{{name: n{index}, host: '{host}'{f', port: {port}' if port else ''}}}"
        for index, (host, port) in enumerate(places)
    ]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "profiles").mkdir()
        (Path(folder) / "profiles" / "p.yaml").write_text(SERVER.replace(NODE, f"[{', '.join(items)}]"))
        spelled = {"DB": "db", "db.": "db", "0::1": "::1", "localhost": "::1"}
        distinct = {(spelled.get(host, host), port or 5432) for host, port in places}
        try:
            profile = load_profile("p", profiles_dir=None, environ={}, cwd=Path(folder))
        except UsageError:
            assert len(distinct) < len(places)
        else:
            assert len(distinct) == len(places) == len(profile.database.nodes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SERVER.replace("host: localhost", "host: 'db:5432'"), "the port is a key of its own"),
        (SERVER.replace("host: localhost", "host: '[::1]'"), "without brackets"),
        (SERVER.replace("host: localhost", "host: 'postgresql://db'"), "is not a host name or address"),
        (SERVER.replace("host: localhost", "host: 5432"), "is not a host name or address"),
        (SERVER.replace("host: localhost", "host: a..b"), "is not a host name or address"),
        (SERVER.replace("host: localhost", "host: -a"), "is not a host name or address"),
        (SERVER.replace("localhost", f"{'a' * 64}.internal"), "is not a host name or address"),
        (SERVER.replace("localhost", "'/run/postgresql;user=x'"), "is not a host name or address"),
        (SERVER.replace("localhost", "'fe80::1%eth0;user=x'"), "is not a host name or address"),
        (SERVER.replace("host: localhost", "host: db/x"), "is not a host name or address"),
        (SERVER.replace("host: localhost", "host: $DB_HOST"), "is not a host name or address"),
        (SERVER.replace("postgresql", "mssql").replace("localhost", "/tmp"), "is not a host name or address"),
        (SERVER.replace("}]", "}, {name: A, host: b}]"), "is also the name of another node"),
        (SERVER.replace("name: c,", "name: ' c',"), "`database.name` begins or ends with a space"),
        (SERVER.replace("name: c", "replication: {group: g}"), "`database.replication.group` does not apply"),
        (SERVER.replace("name: c", "replication: {max_lag: 0s}"), "`database.replication.max_lag` must be longer"),
        (FULL.replace("group: ag_customers, ", ""), "`database.replication.group` is missing"),
        (SERVER.replace("name: c", "hooks: {fense: [x]}"), "unknown key `database.hooks.fense`"),
        (SERVER.replace("name: c", "hooks: {fence: ['{nodee}']}"), "unknown placeholder `{nodee}`"),
        (SERVER.replace("name: c", "hooks: {fence: [x, '{primary}']}"), "unknown placeholder `{primary}`"),
        (SERVER.replace("name: c", "hooks: {fence: [' ']}"), "contains an empty value"),
        (SERVER + "cache: {url: redis://h, ttl: 0}\n", "`cache.ttl` must be longer than zero"),
        (SERVER + "cache: {url: redis://h, ttl: 0s}\n", "`cache.ttl` must be longer than zero"),
        (SQLITE.replace("x.db", "data/"), "is a folder's"),
        (SQLITE.replace("x.db", "."), "is a folder's"),
        (SQLITE.replace("x.db", "x.db, nodes: []"), "`database.nodes` does not apply to sqlite"),
        (SQLITE.replace("x.db", "~"), "`database.path` is empty"),
        (SQLITE.replace("x.db", "'${A:-${B:-x}}'"), "the default of `${A}` contains another `${`"),
        (SQLITE.replace("x.db", "'${A:-${B}}'"), "the default of `${A}` contains another `${`"),
        (SQLITE.replace("x.db", "'${A:-x'"), "`${` does not start a variable"),
        (SQLITE.replace("x.db", "'${A:-}'"), "`database.path` is empty"),
        (SQLITE.replace("x.db", "&x x.db"), "a profile must not use YAML anchors"),
        (SQLITE + "<<: {seed: [a]}\n", "unknown key `<<`"),
        (SQLITE.replace("path: x.db", "path: x.db, path: y.db"), "`path` is duplicated"),
        ("environment: test\ndatabase:\n\tengine: sqlite\n", "p.yaml:3"),
    ],
)
def test_what_means_nothing_is_refused_with_its_line(load: Load, text: str, message: str) -> None:
    error = refused(load, text)
    assert error.message.startswith("profiles/p.yaml:")
    assert message in error.message


def test_a_default_inside_a_default_is_refused_where_the_variable_is_set_too(load: Load) -> None:
    assert "contains another" in refused(load, SQLITE.replace("x.db", "'${A:-${B:-x}}'"), A="a", B="b").message


def test_what_looks_odd_and_means_something(load: Load) -> None:
    # Of a cluster one node may be left, and the history has to be counted on it.
    assert (
        load(SERVER.replace("name: c,", "replication: {driver: streaming},")).database.replication.driver == "streaming"
    )
    assert load(SERVER.replace("name: c,", "name: 123, user: 1e3, tls: off,")).database.name == "123"
    assert load(SERVER.replace("name: c,", "name: no,")).database.name == "no"
    assert load(SERVER.replace("name: c,", "name: 'a\u00a0b',")).database.name == "a\u00a0b"
    assert load(SERVER.replace("host: localhost", "host: 'fe80::1%eth0'")).database.nodes[0].host == "fe80::1%eth0"
    assert load(SERVER.replace("localhost", "a" * 63)).database.nodes[0].host == "a" * 63
    assert load(SERVER.replace("host: localhost", "host: db_1.internal., port: '5433'")).database.nodes[0].port == 5433
    hooks = "[docker, '--format={{.Name}}', '{node}', '{\"a\": 1}']"
    assert load(SERVER.replace("name: c,", f"hooks: {{fence: {hooks}}},")).database.hooks["fence"][1:3] == [
        "--format={{.Name}}", "{node}"
    ]  # fmt: skip
    assert load(SQLITE.replace("x.db", "'${A:-a$$b}'")).database.path is not None
    assert str(load(SQLITE.replace("x.db", "'${A:-a$$b}'")).database.path).endswith("a$b")


# Read once


def test_a_profile_that_is_edited_while_it_is_read_is_the_old_one_or_the_new_one(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "profiles" / "p.yaml"
    home = {"HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    load(SQLITE.replace("x.db", "old.db"))
    read = document._read

    def edited_behind_it(source: Path, problems: list[document.Problem]) -> str:
        text = read(source, problems)
        file.write_text(SQLITE.replace("x.db", "new.db"))
        return text

    with monkeypatch.context() as patched:
        patched.setattr(document, "_read", edited_behind_it)
        held = load_profile("p", profiles_dir=None, environ=home, cwd=tmp_path)
    assert held.database.path == tmp_path / "old.db"
    for _ in range(2):
        assert load_profile("p", profiles_dir=None, environ=home, cwd=tmp_path).database.path == tmp_path / "new.db"
    assert not (tmp_path / "home").exists()


def test_a_profile_s_file_is_opened_once(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    really = os.open

    def counted(path: str | Path, *rest: int) -> int:
        opened.append(Path(path).name)
        return really(path, *rest)

    monkeypatch.setattr(os, "open", counted)
    load(SQLITE)
    assert opened.count("p.yaml") == 1


def test_words_that_yaml_takes_for_booleans_stay_words(load: Load) -> None:
    text = SERVER.replace("name: c,", "name: on, tls: off,") + "seed: [no, yes]\n"
    profile = load(text)
    assert (profile.database.name, profile.database.tls, profile.seed) == ("on", Tls.OFF, ("no", "yes"))


def test_a_byte_order_mark_and_windows_line_endings(load: Load) -> None:
    assert load(b"\xef\xbb\xbf" + SQLITE.replace("\n", "\r\n").encode()).environment is Environment.DEVELOPMENT


def test_settings_tell_every_value_and_its_origin(load: Load) -> None:
    text = SERVER.replace("host: localhost", 'host: "${DB_HOST}", port: "${DB_PORT:-6000}"')
    settings = {each.key: (each.value, each.origin) for each in load(text, DB_HOST="db.test").settings()}
    assert settings["environment"] == ("test", "profiles/p.yaml:1")
    assert settings["database.nodes.0.host"] == ("db.test", "${DB_HOST} in profiles/p.yaml:2")
    assert settings["database.nodes.0.port"] == (6000, "default of ${DB_PORT} in profiles/p.yaml:2")
    assert settings["database.connect_timeout"] == ("5s", "default")
    assert "cache.url" not in settings


def _flat(key: str, value: Any) -> dict[str, Any]:
    """Return the values of a tree by their dotted keys; a list of texts is one value."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        value = {str(index): each for index, each in enumerate(value)}
    if not isinstance(value, dict):
        return {key: value}
    return {path: held for name in value for path, held in _flat(f"{key}.{name}".lstrip("."), value[name]).items()}


@pytest.mark.parametrize("text", [EVERYTHING, f"{SQLITE.replace('x.db', '/srv/x.db')}seed: [reference]\n"])
def test_settings_show_all_that_is_written_in_a_profile(load: Load, text: str) -> None:
    shown = {each.key: each.value for each in load(text).settings()}
    written = _flat("", yaml.load(text, Loader=yaml.BaseLoader))
    assert {key: shown[key] if isinstance(shown[key], list) else str(shown[key]) for key in written} == written


@pytest.mark.parametrize(
    ("database", "scopes", "shown"),
    [
        ("engine: postgresql, auth: oauth", "[openid]", True),
        ("engine: postgresql, auth: integrated", "[openid]", False),
        ("engine: mssql, auth: entra", "['https://database.windows.net/.default', profile]", True),
        ("engine: mssql, auth: entra", "[profile]", False),
        ("engine: mssql, auth: integrated", "['https://database.windows.net/.default']", False),
    ],
)
def test_whether_a_database_receives_the_access_token(load: Load, database: str, scopes: str, shown: bool) -> None:
    text = f"environment: test\ndatabase: {{{database}, nodes: [{{host: h}}]}}\n"
    login = f"login: {{issuer: https://login.internal, client_id: c, scopes: {scopes}, roles: {{admin: dba}}}}\n"
    assert load(text + login).shows_access_token == shown
    if "oauth" not in database:
        assert not load(text).shows_access_token


def test_a_node_tells_where_patroni_listens(load: Load) -> None:
    text = SERVER.replace("name: c,", "name: c, replication: {driver: patroni, group: crm},")
    profile = load(text)
    settings = {each.key: (each.value, each.origin) for each in profile.settings()}
    assert settings["database.nodes.0.api_port"] == (8008, "default")
    profile = load(text.replace("host: localhost", "host: localhost, api_port: 8009"))
    assert profile.database.nodes[0].api_port == 8009
    # Without Patroni there is no such port.
    assert "database.nodes.0.api_port" not in {each.key for each in load(SERVER).settings()}


def test_every_setting_has_an_origin(load: Load) -> None:
    for text in (FULL, SERVER, SQLITE):
        profile = load(text)
        # A key that `origins` does not know would be told as a default.
        missing = {each.key for each in profile.settings()} - set(profile.origins)
        assert missing == set()


# Variables


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("${N}", "v"),
        ("a${N}b${N}", "avbv"),
        ("${ABSENT:-d}", "d"),
        ("${EMPTY:-d}", "d"),
        ("${N:-d}", "v"),
        ("x${ABSENT:-}", "x"),
        ("$${N}", "${N}"),
        ("$$$${N}", "$${N}"),
        ("a$b", "a$b"),
        ("5$", "5$"),
    ],
)
def test_variables(load: Load, raw: str, value: str) -> None:
    profile = load(SERVER.replace("name: c", f'name: "{raw}"'), N="v", EMPTY="")
    assert profile.database.name == value


def test_a_value_cannot_bring_in_yaml(load: Load) -> None:
    profile = load(SERVER.replace("name: c", 'name: "${N}"'), N="c, engine: sqlite} # ${HOME} *a")
    assert profile.database.name == "c, engine: sqlite} # ${HOME} *a"


def test_types_are_checked_after_the_variables(load: Load) -> None:
    text = SERVER.replace("host: localhost", 'host: localhost, port: "${PORT}"')
    assert load(text, PORT="6432").database.nodes[0].port == 6432
    assert "from 1 to 65535, not the value of `${PORT}`" in refused(load, text, PORT="tcp://x").message


def test_a_variable_that_is_not_set(load: Load) -> None:
    error = refused(load, SERVER.replace("name: c", 'name: "${DB_NAME}"'))
    assert error.message == "profiles/p.yaml:2: the environment variable `DB_NAME` is not set"
    assert "${DB_NAME:-value}" in str(error.hint)


@pytest.mark.parametrize("raw", ["${", "${}", "${1A}", "${A-b}", "${A", "x${A B}"])
def test_a_malformed_variable(load: Load, raw: str) -> None:
    assert "does not start a variable" in refused(load, SERVER.replace("name: c", f'name: "{raw}"'), A="a").message


def test_variables_in_keys_are_not_replaced(load: Load) -> None:
    assert "unknown key `${N}`" in refused(load, SQLITE + '"${N}": 1\n', N="seed").message


def test_values_of_variables_are_not_shown(load: Load) -> None:
    for text in (
        SERVER.replace("engine: postgresql", 'engine: "${X}"'),
        SERVER.replace("name: c", 'connect_timeout: "${X}"'),
        SERVER.replace("host: localhost", 'host: localhost, port: "${X}"'),
        SERVER.replace("host: localhost", 'host: "${X}"'),
        SERVER + 'cache: {url: "${X}"}\n',
        SERVER + 'seed: ["${X}"]\n',
    ):
        error = refused(load, text, X="hunter2 x")
        assert "hunter2" not in f"{error.message}{error.hint}{error.details}"


# What is refused


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (SQLITE.replace("path:", "paht:"), "profiles/p.yaml:2: unknown key `database.paht`", "did you mean `path`?"),
        (SQLITE + "sead: []\n", "profiles/p.yaml:3: unknown key `sead`", "did you mean `seed`?"),
        (SQLITE + "Seed: []\n", "unknown key `Seed`", "did you mean `seed`?"),
        (
            SQLITE + "zzzz: []\n",
            "unknown key `zzzz`",
            "`environment`, `database`, `cache`, `identity`, `login`, `seed`",
        ),
        (SQLITE + "seed: []\nseed: []\n", "profiles/p.yaml:4: `seed` is duplicated, first used in line 3", ""),
        (SQLITE + "seed: reference\n", "profiles/p.yaml:3: `seed` must be a list, not a single value", ""),
        (SQLITE + "seed: {a: b}\n", "`seed` must be a list, not a mapping", ""),
        (SQLITE + "seed: [[a]]\n", "`seed` must be a list of single values, not of lists", ""),
        (SQLITE + "seed: [a, a]\n", "`seed` names a set twice", ""),
        (SQLITE + "seed: [../a]\n", "the name of a seed set", ""),
        (SQLITE + "seed: [~]\n", "`seed` contains an empty value", ""),
        (SQLITE + "cache:\n", "`cache` is empty", "remove the key"),
        (SQLITE + "cache: x\n", "`cache` must be a mapping, not a single value", ""),
        (SQLITE + "cache: [x]\n", "`cache` must be a mapping, not a list", ""),
        (SQLITE + "cache: {url: http://x}\n", "`cache.url` is not the URL", "rediss://"),
        (SQLITE + "cache: {url: 'redis://h:99999'}\n", "`cache.url` is not the URL", ""),
        (SQLITE + "cache: {url: 'redis://[x'}\n", "`cache.url` is not the URL", ""),
        (SQLITE + "cache: {ttl: 5m}\n", "`cache.url` is missing", ""),
        (SQLITE + "cache: {url: 'redis://h', ttI: 5m}\n", "unknown key `cache.ttI`", "did you mean `ttl`?"),
        (
            SQLITE + "cache: {url: 'redis://h', encrpyt: yes}\n",
            "unknown key `cache.encrpyt`",
            "did you mean `encrypt`?",
        ),
        (SQLITE + "cache: {url: 'redis://h', encrypt: maybe}\n", "`maybe`", "one of `true`, `false`"),
        (SQLITE + "cache: {url: 'redis+sentinel://h'}\n", "followed by `/` and the name of the master", "rediss://"),
        (SQLITE + "cache: {url: 'redis://h', ttl: 0s}\n", "`cache.ttl` must be longer than zero", ""),
        ("database: {engine: sqlite, path: x}\n", "profiles/p.yaml:1: `environment` is missing", ""),
        ("environment: test\n", "`database` is missing", ""),
        ("environment: test\ndatabase: {engine: sqlite}\n", "profiles/p.yaml:2: `database.path` is missing", ""),
        ("environment: test\ndatabase: {path: x}\n", "`database.engine` is missing", ""),
        ("environment: test\ndatabase: {engine: mssql}\n", "`database.nodes` is missing", ""),
        (SERVER.replace(", host: localhost", ""), "`database.nodes.0.host` is missing", ""),
        (SQLITE.replace("development", "prodction"), "unknown environment: `prodction`", "did you mean `production`?"),
        (SQLITE.replace("development", "[test]"), "`environment` must be a single value, not a list", ""),
        (SQLITE.replace("development", "null"), "`environment` is empty", ""),
        (SQLITE.replace("development", "true"), "unknown environment: `true`", "one of `development`"),
        (SQLITE.replace("sqlite", "postgres"), "unknown engine: `postgres`", "did you mean `postgresql`?"),
        (SQLITE.replace("sqlite", "sqlite3"), "unknown engine: `sqlite3`", "did you mean `sqlite`?"),
        *(
            (SQLITE.replace("sqlite", other), f"unknown engine: `{other}`", ENGINE_NAMES)
            for other in ("mysql", "mariadb", "pgsql", "sqlserver", "mssql+pyodbc")
        ),
        (SQLITE.replace("x.db", "':memory:'"), "not `:memory:`", ""),
        (SQLITE.replace("x.db", "':MEMORY:'"), "not `:MEMORY:`", ""),
        (SQLITE.replace("x.db", "'sqlite:///x.db'"), "not `sqlite:///x.db`", ""),
        (SQLITE.replace("x.db", "file:x?mode=rw"), "must be a file's path", ""),
        (SQLITE.replace("path", "user: u, path"), "`database.user` does not apply to sqlite", "`path`"),
        (SQLITE.replace("path", "tls: off, path"), "`database.tls` does not apply to sqlite", ""),
        (SERVER.replace("name: c", "path: c"), "`database.path` does not apply to postgresql", "`nodes`"),
        (SERVER.replace("name: c", "tls: tru"), "unknown tls: `tru`", "one of `verify-full`"),
        (SERVER.replace("name: c", "auth: kerberos"), "unknown auth: `kerberos`", "`integrated`"),
        (SERVER.replace("name: c", "auth: password"), "`database.user` is missing", ""),
        (SERVER.replace("name: c", "auth: entra"), "postgresql does not support `auth: entra`", "`certificate`"),
        (
            SERVER.replace("postgresql", "mssql").replace("name: c", "auth: certificate"),
            "mssql does not support `auth: certificate`",
            "`entra`",
        ),
        (SERVER.replace("name: c", "reads: secondary"), "unknown reads: `secondary`", ""),
        (SERVER.replace("name: c", "replication: {driver: galera}"), "unknown driver: `galera`", "`patroni`"),
        (
            SERVER.replace("name: c", "replication: {driver: availability-group}"),
            "does not replicate postgresql",
            "`streaming`",
        ),
        (
            SERVER.replace("name: c", "replication: {driver: streaming, experimental: true}"),
            "`experimental` does not apply to `driver: streaming`",
            "",
        ),
        (
            SERVER.replace("name: c", "replication: {driver: streaming, experimental: 1}"),
            "unknown experimental: `1`",
            "`true`",
        ),
        (
            SERVER.replace("name: c", "connect_timeout: 5"),
            "`database.connect_timeout` is `5`: not a duration",
            "",
        ),
        (SERVER.replace("name: c", "connect_timeout: 0s"), "must be longer than zero", ""),
        (SERVER.replace("name: c", "hooks: {fence: stop}"), "`database.hooks.fence` must be a list", ""),
        (SERVER.replace("name: c", "hooks: {fence: []}"), "`database.hooks.fence` is an empty list", ""),
        (SERVER.replace("name: c", "hooks: {fence: [~]}"), "contains an empty value", ""),
        (SERVER.replace("name: c", "hooks: {'a b': [x]}"), "not a plain name for a hook", ""),
        (SERVER.replace("[{name: a, host: localhost}]", "[]"), "`database.nodes` is an empty list", ""),
        (SERVER.replace("[{name: a, host: localhost}]", "[localhost]"), "`database.nodes.0` must be a mapping", ""),
        (SERVER.replace("host: localhost", "host: x, api_port: http"), "must be a whole number from 1 to 65535", ""),
        (SERVER.replace("host: localhost", "hsot: x"), "unknown key `database.nodes.0.hsot`", "did you mean `host`?"),
        (SERVER.replace("host: localhost", "host: 'a;b'"), "is not a host name or address", ""),
        (SERVER.replace("name: a", "name: -a"), "`database.nodes.0.name` is not a plain name", ""),
        (SERVER.replace("}]", "}, {name: a, host: b}]"), "is also the name of another node", ""),
        (SERVER.replace("host: localhost", "host: h, port: 0"), "from 1 to 65535, not `0`", ""),
        (SERVER.replace("host: localhost", "host: h, port: 65536"), "from 1 to 65535, not `65536`", ""),
        (SERVER.replace("host: localhost", "host: h, port: 5_432"), "not `5_432`", ""),
        (SERVER.replace("host: localhost", "host: h, port: five"), "not `five`", ""),
        (SERVER.replace("name: c", 'name: "a\\nb"'), "control character or a line break", ""),
    ],
)
def test_what_is_wrong_is_told_with_its_line(load: Load, text: str, message: str, hint: str) -> None:
    error = refused(load, text)
    assert error.message.startswith("profiles/p.yaml:")
    assert message in error.message
    assert "\n" not in error.message
    assert hint in (error.hint or "")


def test_all_problems_are_told_at_once_by_line(load: Load) -> None:
    error = refused(
        load,
        """\
        environment: prod
        database:
          engine: postgresql
          usr: x
          nodes: [{host: h, port: 0}]
        sead: []
        """,
    )
    lines = error.message.split("\n")
    assert [line.split(": ")[0] for line in lines] == [f"profiles/p.yaml:{number}" for number in (1, 4, 5, 6)]
    assert [each["line"] for each in error.details["problems"]] == [1, 4, 5, 6]
    assert "line 4: did you mean `user`?" in str(error.hint)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: [1, 2\nb: 3\n", "profiles/p.yaml:2: column 2: "),
        ("a: b: c\n", "profiles/p.yaml:1: column 5: "),
        ("a:\n\t- x\n", "profiles/p.yaml:2: column 1: "),
        ("a: 'x\n", "profiles/p.yaml:"),
        ("a: @x\n", "profiles/p.yaml:1: column 4: "),
    ],
)
def test_syntax_errors_have_line_and_column(load: Load, text: str, place: str) -> None:
    assert refused(load, text).message.startswith(place)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "the file is empty"),
        (b"# nothing\n", "the file is empty"),
        (b"---\n...\n", "the file is empty"),
        (b"- a\n", "a profile is a mapping"),
        (b"word\n", "a profile is a mapping"),
        (b"\x89PNG\r\n\x1a\n\x00", "the file is not UTF-8 text"),
        (b"a: 1\nb: \xff\n", "p.yaml:2: the file is not UTF-8 text"),
        (b"a: 1\nb: \x00\n", "p.yaml:2: the file contains U+0000"),
        (b"a: \x1b[31m\n", "the file contains U+001B"),
        (SQLITE.encode().decode().encode("utf-16"), "the file is not UTF-8 text"),
        (b"#" * 70_000, "larger than 64 KiB"),
        (b"[" * 60_000, "nested deeper than"),
        (b"{a: " * 10_000, "nested deeper than"),
        (SQLITE.encode() + b"---\na: 1\n", "p.yaml:3: a profile is one YAML document"),
        (b"a: &x [1]\nb: *x\n", "p.yaml:2: a profile must not use YAML aliases"),
        (b"&a [*a]\n", "must not use YAML aliases"),
        (b"environment: &a test\ndatabase: *a\n", "p.yaml:2: a profile must not use YAML aliases"),
        (b"seed: !!python/object/apply:os.system [id]\n", "must not use YAML tags"),
        (b"? [a]\n: b\n", "a key must be a plain word"),
    ],
)
def test_rubbish_is_refused_cleanly(load: Load, raw: bytes, message: str) -> None:
    assert message in refused(load, raw).message


def test_a_bomb_of_aliases_costs_nothing(load: Load) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    assert "must not use YAML aliases" in refused(load, "\n".join(lines)).message


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "profiles"
    (folder / "d.yaml").mkdir(parents=True)
    (folder / "gone.yaml").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.yaml")
    for name in ("d", "gone", "pipe"):
        with pytest.raises(UsageError, match=f"profiles/{name}.yaml:1: it is not a file"):
            load_profile(name, profiles_dir=None, environ={}, cwd=tmp_path)


def test_an_unreadable_file(load: Load, tmp_path: Path) -> None:
    load(SQLITE)
    for folder in (tmp_path, *tmp_path.parents):
        if folder == Path(tempfile.gettempdir()):
            break
        folder.chmod(0o755)
    (tmp_path / "profiles" / "p.yaml").chmod(0)
    # Root reads everything: it steps down to another user for the time of the look.
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(65534)
    try:
        with pytest.raises(UsageError, match="cannot read the file: permission denied"):
            load_profile("p", profiles_dir=None, environ={}, cwd=tmp_path)
    finally:
        if was_root:
            os.seteuid(0)


# Passwords


@pytest.mark.parametrize(
    "line",
    [
        "password: hunter2",
        "Password: hunter2",
        "db_password: hunter2",
        "passwd: hunter2",
        "pwd: hunter2",
        "pass: hunter2",
        "secret: {a: hunter2}",
        "api-token: [hunter2]",
        "'password=hunter2': ",
        "cache: {url: 'redis://:hunter2@h:6379/0'}",
        "cache: {url: 'redis://u:hunter2@h'}",
        "cache: {url: 'redis://h/0?password=hunter2'}",
        'cache: {url: "redis://u:${X}@h"}',
        'cache: {url: "${X_URL}"}',
        'seed: ["${DB_PASSWORD}"]',
        'seed: ["${X_URL}"]',
        "environment: 'postgresql://u:hunter2@h/db'",
        "seed: [Server=h;Pwd=hunter2]",
    ],
)
def test_a_password_is_refused_and_not_repeated(load: Load, line: str) -> None:
    text = SQLITE.split("\n", 1)[1] if line.startswith("environment") else SQLITE
    error = refused(load, text + line + "\n", X="hunter2", X_URL="redis://:hunter2@h", DB_PASSWORD="hunter2")
    assert "a profile must not contain a password" in error.message
    assert "custctl credential set" in str(error.hint)
    assert "hunter2" not in f"{error.message}{error.hint}{error.details}"


def test_a_password_in_the_database_section_or_a_hook(load: Load) -> None:
    for line in (
        "{engine: postgresql, password: hunter2, nodes: [{host: h}]}",
        "{engine: postgresql, nodes: [{host: 'h password=hunter2'}]}",
        "{engine: postgresql, nodes: [{host: h}], hooks: {fence: [stop, --password, hunter2]}}",
        "{engine: postgresql, nodes: [{host: h}], hooks: {fence: [env, PGPASSWORD=hunter2, stop]}}",
    ):
        error = refused(load, f"environment: test\ndatabase: {line}\n")
        assert "a profile must not contain a password" in error.message
        assert "hunter2" not in f"{error.message}{error.hint}{error.details}"


def test_the_working_folder_is_no_secret(load: Load) -> None:
    assert load(SQLITE.replace("x.db", '"${PWD}/x.db"'), PWD="/srv").database.path == Path("/srv/x.db")


# TLS


def test_tls_off_is_refused_in_production(load: Load) -> None:
    text = SERVER.replace("environment: test", "environment: production").replace("name: c", 'tls: "${T:-off}"')
    with pytest.raises(RefusedError) as caught:
        load(text)
    assert caught.value.exit_code is ExitCode.REFUSED
    assert caught.value.message == "profiles/p.yaml:2: `tls: off` is refused in production"
    assert load(text, T="require").database.tls is Tls.REQUIRE


def test_tls_off_is_possible_in_staging(load: Load) -> None:
    text = SERVER.replace("environment: test", "environment: staging").replace("name: c", "tls: off")
    assert load(text).database.tls is Tls.OFF


# The search


def write(folder: Path, name: str, environment: str = "development") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.yaml"
    file.write_text(SQLITE.replace("development", environment))
    return file


def test_the_first_folder_that_has_the_profile_wins(tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_DATA_HOME": str(tmp_path / "data")}

    def source(name: str = "dev", profiles_dir: Path | None = None, **more: str) -> Path:
        return load_profile(name, profiles_dir=profiles_dir, environ=environ | more, cwd=tmp_path).source

    profile = load_profile("dev", profiles_dir=None, environ=environ, cwd=tmp_path)
    assert profile.bundled
    assert profile.database.path == tmp_path / "data" / "custctl" / "customers-dev.db"
    user = write(tmp_path / "config" / "custctl" / "profiles", "dev")
    assert source() == user
    local = write(tmp_path / "profiles", "dev")
    assert source() == local
    write(tmp_path / "config" / "custctl" / "profiles", "mine")
    assert source("mine").parent == user.parent
    named = write(tmp_path / "named", "dev")
    assert source(CUSTCTL_PROFILES_DIR="named") == named
    option = write(tmp_path / "option", "dev")
    assert source(CUSTCTL_PROFILES_DIR="named", profiles_dir=Path("option")) == option


def test_the_path_is_relative_to_what_holds_the_folder(tmp_path: Path) -> None:
    write(tmp_path / "deep" / "set", "dev")
    profile = load_profile("dev", profiles_dir=Path("deep/../deep/set"), environ={}, cwd=tmp_path)
    assert profile.database.path == tmp_path / "deep" / "x.db"


def test_a_named_folder_without_the_profile_is_not_left(tmp_path: Path) -> None:
    write(tmp_path / "profiles", "prod")
    write(tmp_path / "named", "prdo")
    with pytest.raises(UsageError) as caught:
        load_profile("prod", profiles_dir=Path("named"), environ={}, cwd=tmp_path)
    assert caught.value.message == "unknown profile `prod` in `named`, which `--profiles-dir` names"
    assert caught.value.hint == "did you mean `prdo`?"


@pytest.mark.parametrize("environ", [{"CUSTCTL_PROFILES_DIR": "absent"}, {"CUSTCTL_PROFILES_DIR": ""}])
def test_a_named_folder_that_is_not_there(tmp_path: Path, environ: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="CUSTCTL_PROFILES_DIR"):
        load_profile("dev", profiles_dir=None, environ=environ, cwd=tmp_path)
    assert profile_names(profiles_dir=None, environ=environ, cwd=tmp_path) == []


@pytest.mark.parametrize("name", ["staging", "prod"])
def test_staging_and_production_never_run_from_the_bundle(tmp_path: Path, name: str) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    with pytest.raises(UsageError) as caught:
        load_profile(name, profiles_dir=None, environ=environ, cwd=tmp_path)
    hint = str(caught.value.hint)
    subprocess.run(["sh", "-c", hint.split("`")[1]], cwd=tmp_path, check=True)
    assert load_profile(name, profiles_dir=None, environ=environ, cwd=tmp_path).is_protected


def test_an_unknown_profile(tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    with pytest.raises(UsageError) as caught:
        load_profile("stagign", profiles_dir=None, environ=environ, cwd=tmp_path)
    assert (caught.value.message, caught.value.hint) == ("unknown profile `stagign`", "did you mean `staging`?")
    with pytest.raises(UsageError) as caught:
        load_profile("xyz", profiles_dir=None, environ=environ, cwd=tmp_path)
    assert caught.value.hint == "available profiles: `dev`, `prod`, `staging`, `test`"
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "xyz.yml").touch()
    with pytest.raises(UsageError) as caught:
        load_profile("xyz", profiles_dir=None, environ=environ, cwd=tmp_path)
    assert caught.value.hint == "rename `profiles/xyz.yml` to `xyz.yaml`"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "../dev", "a.b", "/etc/passwd", "-x", "a b", "a\n", "é", "a" * 65, "a\x00"]
)
def test_a_name_is_a_plain_word(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is not a valid profile name"):
        load_profile(name, profiles_dir=None, environ={}, cwd=tmp_path)


def test_the_case_of_a_name_counts_on_every_file_system(load: Load, tmp_path: Path) -> None:
    load(SQLITE, name="local")
    with pytest.raises(UsageError) as caught:
        load_profile("LOCAL", profiles_dir=None, environ={"HOME": str(tmp_path)}, cwd=tmp_path)
    assert caught.value.hint == "did you mean `local`?"


def test_the_list_shows_each_profile_once_usable_or_not(tmp_path: Path) -> None:
    write(tmp_path / "profiles", "dev", "test")
    (tmp_path / "profiles" / "bad.yaml").write_text("environment: staging\n")
    (tmp_path / "profiles" / "not a name.yaml").touch()
    entries = find_profiles(profiles_dir=None, environ={"XDG_CONFIG_HOME": str(tmp_path)}, cwd=tmp_path)
    by_name = {each.name: each for each in entries}
    assert list(by_name) == ["bad", "dev", "prod", "staging", "test"]
    assert (by_name["dev"].environment, by_name["dev"].bundled) == (Environment.TEST, False)
    assert by_name["bad"].environment is Environment.STAGING
    assert by_name["bad"].problem == "profiles/bad.yaml:1: `database` is missing"
    assert by_name["prod"].bundled
    assert "only a bundled example" in str(by_name["prod"].problem)
    assert by_name["test"].problem is None


def test_names_are_listed_without_yaml(tmp_path: Path) -> None:
    write(tmp_path / "profiles", "mine")
    code = textwrap.dedent(f"""
        import sys
        from pathlib import Path
        from custctl.profiles import profile_names
        cwd = Path({str(tmp_path)!r})
        print(*profile_names(profiles_dir=None, environ={{"XDG_CONFIG_HOME": "/nowhere"}}, cwd=cwd))
        sys.exit(any(name in sys.modules for name in ("yaml", "platformdirs", "difflib", "keyring")))
    """)
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["dev", "mine", "prod", "staging", "test"]


def test_what_is_shipped_validates(tmp_path: Path) -> None:
    folder = Path(__file__).parents[2] / "profiles"
    entries = find_profiles(profiles_dir=folder, environ={}, cwd=tmp_path)
    assert {each.name: (each.environment, each.problem) for each in entries} == {
        "dev": ("development", None),
        "test": ("test", None),
        "staging": ("staging", None),
        "prod": ("production", None),
    }


# Where accounts are


def test_accounts_are_local_unless_a_profile_says_otherwise(load: Load) -> None:
    for text in (SQLITE, f"{SQLITE}identity: {{provider: local}}\n"):
        profile = load(text)
        assert profile.identity.is_local
        assert not [each for each in profile.settings() if each.key.startswith("identity.")]


def test_each_provider_has_its_keys(load: Load, tmp_path: Path) -> None:
    text = "{provider: scim, url: 'https://idp.internal/scim/v2', on_delete: disable, timeout: 3s, tls_ca: ca.pem}"
    scim = load(f"{SQLITE}identity: {text}\n").identity
    assert (scim.provider, scim.url, scim.on_delete) == (Accounts.SCIM, "https://idp.internal/scim/v2", "disable")
    assert (scim.timeout, scim.tls_ca, scim.is_local) == (3.0, tmp_path / "ca.pem", False)
    cognito = load(f"{SQLITE}identity: {{provider: cognito, pool: eu-west-1_AbCdEfGhI}}\n").identity
    assert (cognito.pool, cognito.region, cognito.endpoint) == ("eu-west-1_AbCdEfGhI", "eu-west-1", None)
    text = "{provider: cognito, pool: eu-west-1_AbCdEfGhI, region: eu-west-2}"
    assert load(f"{SQLITE}identity: {text}\n").identity.region == "eu-west-2"
    auth0 = load(
        f"{SQLITE}identity: {{provider: auth0, domain: acme.eu.auth0.com, connection: customers, client_id: abc}}\n"
    )
    assert (auth0.identity.domain, auth0.identity.connection) == ("acme.eu.auth0.com", "customers")
    assert auth0.identity.timeout == 10.0
    shown = {each.key: each.value for each in auth0.settings()}
    assert shown["identity.provider"] == "auth0"
    assert shown["identity.on_delete"] == "delete"
    assert "identity.url" not in shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{url: 'https://h/'}", "`identity.provider` is missing"),
        ("{provider: cognit, pool: eu-west-1_A}", "unknown provider: `cognit`"),
        ("{provider: scim}", "`identity.url` is missing"),
        ("{provider: scim, url: 'http://idp.internal/scim'}", "`identity.url` is not an `https` URL"),
        ("{provider: scim, url: 'https://h/?x=1'}", "`identity.url` is not an `https` URL"),
        ("{provider: scim, url: 'https://u:p@h/'}", "must not contain a password"),
        ("{provider: scim, url: 'https://h/', pool: eu-west-1_A}", "`identity.pool` does not apply to scim"),
        ("{provider: scim, url: 'https://h/', on_delete: forget}", "unknown on_delete: `forget`"),
        ("{provider: scim, url: 'https://h/', timeout: 0}", "`identity.timeout` must be longer than zero"),
        ("{provider: scim, url: 'https://h/', secret: x}", "secret"),
        ("{provider: cognito, pool: AbC}", "`identity.pool` is not a pool"),
        ("{provider: cognito, pool: eu-west-1_A, region: x}", "`identity.region` is not a region"),
        (
            "{provider: cognito, pool: eu-west-1_A, endpoint: 'http://moto'}",
            "`identity.endpoint` is not an `https` URL",
        ),
        ("{provider: auth0, domain: 'https://x'}", "`identity.domain` is not a domain"),
        ("{provider: local, on_delete: delete}", "`identity.on_delete` does not apply to local"),
    ],
)
def test_what_a_provider_cannot_have_is_refused(load: Load, text: str, message: str) -> None:
    assert message in refused(load, f"{SQLITE}identity: {text}\n").message


def test_a_provider_on_this_machine_may_be_spoken_to_in_the_clear(load: Load) -> None:
    for url in ("http://127.0.0.1:8080/v2", "http://[::1]/", "http://localhost:1"):
        assert load(f"{SQLITE}identity: {{provider: scim, url: '{url}'}}\n").identity.url == url


# Anything at all


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    attempt(tmp_path_factory, raw, {})


@given(st.text(alphabet=st.sampled_from(list("${}:-[]&*!|>'\"\n\t #,ab?@%=")), max_size=60), st.text(max_size=20))
def test_any_yaml_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str, value: str) -> None:
    attempt(tmp_path_factory, SERVER.encode() + text.encode(), {"a": value, "ab": value})


@given(st.text(alphabet=st.sampled_from(list("${}:-ab ")), max_size=30), st.text(max_size=20))
def test_any_interpolation_is_done_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str, value: str) -> None:
    attempt(tmp_path_factory, SERVER.replace("name: c", f"name: '{text}'").encode(), {"a": value, "ab": value})


def attempt(factory: pytest.TempPathFactory, raw: bytes, environ: dict[str, str]) -> None:
    folder = factory.getbasetemp() / "any"
    folder.mkdir(exist_ok=True)
    (folder / "p.yaml").write_bytes(raw)
    try:
        profile = load_profile("p", profiles_dir=folder, environ=environ, cwd=folder)
    except (UsageError, RefusedError):
        # Any other exception is a bug, and fails the test.
        return
    assert all(each.origin for each in profile.settings())
