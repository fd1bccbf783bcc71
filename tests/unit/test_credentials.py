"""Credentials: the order of the search, the keyring's limits, and that no password shows itself.

Keyrings are asked in processes of their own: which backend is loaded is the process's
affair, and a hanging one must not keep a process from ending.
"""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from custctl.profiles import load_profile
from custctl.profiles.credentials import (
    Credential,
    Place,
    Purpose,
    Secret,
    check_credential,
    delete_credential,
    entry_of,
    find_credential,
    store_credential,
)
from custctl.profiles.keyrings import KEYRING_LIMIT
from custctl.profiles.model import Accounts, Auth, Cache, Database, Environment, Identity, Node, Profile
from custctl.support.errors import CredentialError, ExitCode, UsageError

PASSWORD = "hunter2 ü"
FAIL = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}

BACKENDS = '''
"""Keyrings to ask in tests: real keyring backends, kept in memory or misbehaving."""

import time

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError


class InMemoryKeyring(KeyringBackend):
    priority = 1
    passwords = {}

    def get_password(self, service, username):
        return self.passwords.get((service, username))

    def set_password(self, service, username, password):
        self.passwords[service, username] = password

    def delete_password(self, service, username):
        if self.passwords.pop((service, username), None) is None:
            raise PasswordDeleteError("not found")


class FilledKeyring(InMemoryKeyring):
    passwords = {("custctl:prod:sql1.internal", "app"): "from the keyring"}


class CuttingKeyring(InMemoryKeyring):
    def set_password(self, service, username, password):
        super().set_password(service, username, password[:3])


class HangingKeyring(InMemoryKeyring):
    def get_password(self, service, username):
        time.sleep(3600)


class LockedKeyring(InMemoryKeyring):
    def get_password(self, service, username):
        raise KeyringLocked("locked")


class TalkativeKeyring(InMemoryKeyring):
    def set_password(self, service, username, password):
        raise ValueError(f"cannot store {password}")
'''

PRELUDE = """
import dataclasses
import json, os, sys
from pathlib import Path
from custctl.profiles.credentials import *
from custctl.profiles.model import Accounts, Cache, Identity
from custctl.profiles.credentials import check_credential, delete_credential, find_credential, store_credential
from custctl.support.errors import CustctlError
from custctl.profiles import keyrings, load_profile

PASSWORD = "hunter2 ü"
profile = load_profile("prod", profiles_dir=Path("profiles"), environ=os.environ, cwd=Path.cwd())

def told(act):
    try:
        return act()
    except CustctlError as error:
        told = {"message": error.message, "hint": error.hint}
        return told | {"exit": int(error.exit_code), "cause": repr(error.__cause__)}
"""


def server(auth: Auth = Auth.PASSWORD, host: str = "sql1.internal") -> Profile:
    nodes = (Node("sql1", host, 1433), Node("sql2", "sql2.internal", 1433))
    database = Database(engine="mssql", name="customers", user="app", auth=auth, nodes=nodes)
    return Profile("prod", Environment.PRODUCTION, database, None, (), Path("/p/prod.yaml"), bundled=False, origins={})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "custctl_test_keyrings.py").write_text(BACKENDS)
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "prod.yaml").write_text(
        "environment: production\ndatabase: {engine: mssql, user: app, nodes: [{host: sql1.internal}]}\n"
    )
    return tmp_path


def run(home: Path, backend: str | None, code: str, limit: float = 25.0, **more: str) -> Any:
    """Run `code` in a process with that keyring and its time limit in seconds; return what it assigned to `result`."""
    environ = {name: value for name, value in os.environ.items() if "KEYRING" not in name and "DBUS" not in name}
    environ |= {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), str(home)]), "HOME": str(home)}
    environ |= {"XDG_CONFIG_HOME": str(home), "XDG_RUNTIME_DIR": str(home), **more}
    if backend is not None:
        environ["PYTHON_KEYRING_BACKEND"] = backend if "." in backend else f"custctl_test_keyrings.{backend}"
    script = f"{PRELUDE}\nkeyrings.KEYRING_LIMIT = {limit}\n{textwrap.dedent(code)}\nprint(json.dumps(result))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=home,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


FIND = (
    "result = told(lambda: (lambda found: [found.source, found.secret.reveal()])(find_credential(profile, os.environ)))"
)


# The secret


def test_a_secret_does_not_show_itself() -> None:
    secret = Secret(PASSWORD)
    assert secret.reveal() == PASSWORD
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>20}", f"{secret!r}", "{}".format(secret)]  # noqa: UP032 - every way of formatting
    shown += [repr(Credential(secret, "keyring")), repr([secret]), repr(vars(Secret).keys())]
    assert all(PASSWORD not in text for text in shown)
    assert str(secret) == "Secret(***)"
    assert not hasattr(secret, "__dict__")


def test_a_secret_cannot_be_pickled_compared_or_dumped() -> None:
    secret = Secret(PASSWORD)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)
    assert secret != Secret(PASSWORD)
    assert secret != PASSWORD  # type: ignore[comparison-overlap]
    assert copy.copy(secret) is copy.deepcopy(secret) is secret


# The order


def test_sqlite_needs_none_and_asks_nobody(tmp_path: Path) -> None:
    profile = load_profile("dev", profiles_dir=None, environ={"XDG_CONFIG_HOME": str(tmp_path)}, cwd=tmp_path)
    environ = {"CUSTCTL_DB_PASSWORD_FILE": "/nowhere", "CUSTCTL_DB_PASSWORD": "x"}
    assert find_credential(profile, environ) == Credential(None, "not needed")
    assert check_credential(profile, environ) == []
    with pytest.raises(UsageError, match="needs no password"):
        store_credential(profile, Secret("x"), environ)
    with pytest.raises(UsageError, match="needs no password"):
        delete_credential(profile, environ)


def test_the_file_comes_before_the_variable(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    environ = {"CUSTCTL_DB_PASSWORD_FILE": str(file), "CUSTCTL_DB_PASSWORD": "other"}
    found = find_credential(server(), environ)
    assert found.secret is not None
    assert (found.secret.reveal(), found.source) == (PASSWORD, "CUSTCTL_DB_PASSWORD_FILE")
    del environ["CUSTCTL_DB_PASSWORD_FILE"]
    found = find_credential(server(), environ)
    assert found.secret is not None
    assert (found.secret.reveal(), found.source) == ("other", "CUSTCTL_DB_PASSWORD")


def test_the_environment_needs_no_keyring_module() -> None:
    code = (
        "import sys, custctl.profiles.credentials; sys.exit(any(name in sys.modules for name in ('keyring', 'yaml')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("raw", "password"),
    [
        (b"p\n", "p"),
        (b"p", "p"),
        (b"p\r\n", "p"),
        (b"p\n\n", "p\n"),
        (b" p \n", " p "),
        (b"\xc3\xbc\n", "ü"),
        (b"a\nb\n", "a\nb"),
    ],
)
def test_one_line_break_is_taken_off_the_file(tmp_path: Path, raw: bytes, password: str) -> None:
    file = tmp_path / "password"
    file.write_bytes(raw)
    secret = find_credential(server(), {"CUSTCTL_DB_PASSWORD_FILE": str(file)}).secret
    assert secret is not None
    assert secret.reveal() == password


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (None, "no such file or directory"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"hunter2\xff\n", "is not UTF-8 text"),
        (b"hunter2\x00\n", "contains a NUL"),
        (b"hunter2" * 10_000, "is larger than 64 KiB"),
    ],
)
def test_a_file_that_is_not_fit_is_an_error(tmp_path: Path, raw: bytes | None, message: str) -> None:
    file = tmp_path / "password"
    if raw is not None:
        file.write_bytes(raw)
    with pytest.raises(CredentialError, match=message) as caught:
        find_credential(server(), {"CUSTCTL_DB_PASSWORD_FILE": str(file), "CUSTCTL_DB_PASSWORD": "x"})
    error = caught.value
    assert error.exit_code is ExitCode.CREDENTIAL
    # Nothing in the chain that a traceback would print.
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None
    assert "hunter2" not in f"{error.message}{error.hint}{error.details}"


def test_a_folder_is_no_password_file(tmp_path: Path) -> None:
    with pytest.raises(CredentialError, match="is a directory"):
        find_credential(server(), {"CUSTCTL_DB_PASSWORD_FILE": str(tmp_path)})


@pytest.mark.parametrize("name", ["CUSTCTL_DB_PASSWORD", "CUSTCTL_DB_PASSWORD_FILE"])
def test_an_empty_variable_is_an_error_not_a_login_without_password(name: str) -> None:
    with pytest.raises(CredentialError, match=f"`{name}` is empty"):
        find_credential(server(), {name: ""})


def test_without_any_the_three_ways_are_named() -> None:
    with pytest.raises(CredentialError) as caught:
        find_credential(server(), FAIL)
    error = caught.value
    assert error.exit_code is ExitCode.CREDENTIAL
    assert error.message == "no password for user `app` at `sql1.internal` (profile `prod`); no system keyring found"
    for way in ("custctl credential set --env prod", "CUSTCTL_DB_PASSWORD_FILE", "`CUSTCTL_DB_PASSWORD`"):
        assert way in str(error.hint)


@pytest.mark.parametrize("auth", [Auth.INTEGRATED, Auth.ENTRA, Auth.CERTIFICATE])
def test_other_logins_take_a_password_only_from_the_environment(auth: Auth) -> None:
    environ = {"PYTHON_KEYRING_BACKEND": "no.such.Module"}
    assert find_credential(server(auth), environ) == Credential(None, "none")
    assert find_credential(server(auth), environ | {"CUSTCTL_DB_PASSWORD": "x"}).source == "CUSTCTL_DB_PASSWORD"
    with pytest.raises(UsageError, match=f"auth: {auth}"):
        store_credential(server(auth), Secret("x"), environ)


def test_the_host_is_part_of_the_keyring_s_service() -> None:
    assert entry_of(server()).service == "custctl:prod:sql1.internal"
    assert entry_of(server(host="evil")).service == "custctl:prod:evil"


def test_check_tells_every_place(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("x")
    environ = FAIL | {"CUSTCTL_DB_PASSWORD": "y"}
    places = check_credential(server(), environ)
    assert [(each.source, each.state) for each in places] == [
        ("CUSTCTL_DB_PASSWORD_FILE", "absent"),
        ("CUSTCTL_DB_PASSWORD", "used"),
        ("keyring", "failed"),
    ]
    assert places[2].problem == "no system keyring found"
    places = check_credential(server(Auth.ENTRA), environ | {"CUSTCTL_DB_PASSWORD_FILE": str(file)})
    assert places == [Place("CUSTCTL_DB_PASSWORD_FILE", "used"), Place("CUSTCTL_DB_PASSWORD", "shadowed")]
    places = check_credential(server(Auth.ENTRA), environ | {"CUSTCTL_DB_PASSWORD_FILE": "/nowhere"})
    assert [each.state for each in places] == ["failed", "shadowed"]


# The cache's


def cached(url: str = "rediss://ada@cache.internal", *, encrypt: bool = True) -> Profile:
    return server()._replace(cache=Cache(url, encrypt=encrypt))


CACHE, KEY = Purpose.CACHE, Purpose.CACHE_KEY


@pytest.mark.parametrize(
    ("purpose", "variable"), [(CACHE, "CUSTCTL_CACHE_PASSWORD"), (KEY, "CUSTCTL_CACHE_KEY")], ids=str
)
def test_the_cache_has_variables_of_its_own(tmp_path: Path, purpose: Purpose, variable: str) -> None:
    file = tmp_path / "secret"
    file.write_text(PASSWORD + "\n")
    environ = {f"{variable}_FILE": str(file), variable: "other", "CUSTCTL_DB_PASSWORD": "the database's"}
    found = find_credential(cached(), environ, purpose)
    assert found.secret is not None
    assert (found.secret.reveal(), found.source) == (PASSWORD, f"{variable}_FILE")
    places = [(each.source, each.state) for each in check_credential(cached(), FAIL | environ, purpose)]
    assert places == [(f"{variable}_FILE", "used"), (variable, "shadowed"), ("keyring", "failed")]
    del environ[f"{variable}_FILE"]
    found = find_credential(cached(), environ, purpose)
    assert found.secret is not None
    assert (found.secret.reveal(), found.source) == ("other", variable)
    # And the database's is not handed to the cache.
    del environ[variable]
    with pytest.raises(CredentialError):
        find_credential(cached(), FAIL | environ, purpose)


@pytest.mark.parametrize(
    ("purpose", "message"),
    [
        (CACHE, "no password for user `ada` of the cache at `cache.internal` (profile `prod`)"),
        (KEY, "no key for the entries of the cache (profile `prod`)"),
    ],
    ids=str,
)
def test_without_any_the_cache_s_ways_are_named(purpose: Purpose, message: str) -> None:
    with pytest.raises(CredentialError) as caught:
        find_credential(cached(), FAIL, purpose)
    assert caught.value.message == f"{message}; no system keyring found"
    variable = entry_of(cached(), purpose).variable
    for way in (f"custctl credential set --for {purpose} --env prod", f"`{variable}_FILE`", f"`{variable}`"):
        assert way in str(caught.value.hint)
    with pytest.raises(CredentialError) as caught:
        store_credential(cached(), Secret("x"), FAIL, purpose)
    assert variable in str(caught.value.hint)
    assert "CUSTCTL_DB" not in str(caught.value.hint)


def test_where_the_cache_asks_for_nothing_nothing_is_looked_for() -> None:
    environ = {"PYTHON_KEYRING_BACKEND": "no.such.Module"}
    for profile, purpose in ((server(), CACHE), (cached("rediss://h"), CACHE), (cached(encrypt=False), KEY)):
        assert find_credential(profile, environ, purpose) == Credential(None, "not needed")
        assert check_credential(profile, environ, purpose) == []
    with pytest.raises(UsageError, match="has no cache"):
        store_credential(server(), Secret("x"), environ, CACHE)
    with pytest.raises(UsageError, match="names no user"):
        store_credential(cached("rediss://h"), Secret("x"), environ, CACHE)


# The identity provider's


def with_provider(**settings: Any) -> Profile:
    return server()._replace(identity=Identity(**settings))


SCIM = {"provider": Accounts.SCIM, "url": "https://idp.internal:8443/scim/v2"}


def test_the_identity_provider_has_variables_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from a file\n")
    environ = {"CUSTCTL_DB_PASSWORD": "database", "CUSTCTL_IDENTITY_SECRET": "from the variable"}
    found = find_credential(with_provider(**SCIM), environ, Purpose.IDENTITY)
    assert found.secret is not None
    assert (found.secret.reveal(), found.source) == ("from the variable", "CUSTCTL_IDENTITY_SECRET")
    environ["CUSTCTL_IDENTITY_SECRET_FILE"] = str(tmp_path / "secret")
    found = find_credential(with_provider(**SCIM), environ, Purpose.IDENTITY)
    assert found.secret is not None
    assert (found.secret.reveal(), found.source) == ("from a file", "CUSTCTL_IDENTITY_SECRET_FILE")
    with pytest.raises(CredentialError) as caught:
        find_credential(with_provider(**SCIM), {**FAIL, "CUSTCTL_DB_PASSWORD": "x"}, Purpose.IDENTITY)
    message = "no secret for `scim` of the identity provider at `idp.internal:8443` (profile `prod`)"
    assert caught.value.message.startswith(message)
    assert "`custctl credential set --for identity --env prod`" in str(caught.value.hint)


def test_the_identity_provider_s_host_is_part_of_the_service() -> None:
    entry = entry_of(with_provider(**SCIM), Purpose.IDENTITY)
    assert (entry.service, entry.user) == ("custctl:prod:identity:idp.internal:8443", "scim")
    auth0 = {"provider": Accounts.AUTH0, "domain": "acme.eu.auth0.com", "connection": "c", "client_id": "abc"}
    entry = entry_of(with_provider(**auth0), Purpose.IDENTITY)
    assert (entry.service, entry.user) == ("custctl:prod:identity:acme.eu.auth0.com", "abc")
    for settings in ({}, {"provider": Accounts.COGNITO, "pool": "eu-west-1_A", "region": "eu-west-1"}):
        profile = with_provider(**settings)
        assert find_credential(profile, {"CUSTCTL_IDENTITY_SECRET": "x"}, Purpose.IDENTITY).source == "not needed"
        with pytest.raises(UsageError):
            entry_of(profile, Purpose.IDENTITY)


def test_the_cache_s_host_is_part_of_the_service() -> None:
    entry = entry_of(cached(), CACHE)
    assert (entry.service, entry.user) == ("custctl:prod:cache:cache.internal", "ada")
    entry = entry_of(cached("rediss+sentinel://s1,s2/main"), KEY)
    assert (entry.service, entry.user) == ("custctl:prod:cache-key:s1", "cache-key")
    assert entry_of(cached("unix://ada@/run/valkey.sock"), CACHE).service == "custctl:prod:cache:/run/valkey.sock"


# The keyring


def test_a_password_is_found_in_the_keyring(home: Path) -> None:
    assert run(home, "FilledKeyring", FIND) == ["keyring", "from the keyring"]


def test_a_profile_of_the_same_name_for_another_host_is_not_handed_it(home: Path) -> None:
    file = home / "profiles" / "prod.yaml"
    file.write_text(file.read_text().replace("sql1.internal", "evil.example"))
    assert run(home, "FilledKeyring", FIND)["exit"] == 4


def test_store_find_delete(home: Path) -> None:
    result = run(
        home,
        "InMemoryKeyring",
        """
        name = store_credential(profile, Secret(PASSWORD), os.environ)
        found = find_credential(profile, os.environ)
        places = [each.state for each in check_credential(profile, os.environ)]
        deleted = [delete_credential(profile, os.environ) for _ in range(2)]
        empty = told(lambda: store_credential(profile, Secret(""), os.environ))
        result = [name, found.source, found.secret.reveal() == PASSWORD, places, deleted, empty["message"]]
        """,
    )
    assert result[1:] == ["keyring", True, ["absent", "absent", "used"], [True, False], "the password is empty"]


def test_each_secret_has_an_entry_of_its_own(home: Path) -> None:
    result = run(
        home,
        "InMemoryKeyring",
        """
        scim = Identity(provider=Accounts.SCIM, url="https://sql1.internal/")
        profile = profile._replace(cache=Cache("rediss://app@sql1.internal", encrypt=True), identity=scim)
        for purpose in Purpose:
            store_credential(profile, Secret(f"for {purpose}"), os.environ, purpose)
        found = [find_credential(profile, os.environ, purpose).secret.reveal() for purpose in Purpose]
        deleted = delete_credential(profile, os.environ, Purpose.CACHE_KEY)
        left = [check_credential(profile, os.environ, purpose)[-1].state for purpose in Purpose]
        result = [found, deleted, left]
        """,
    )
    assert result == [
        ["for database", "for cache", "for cache-key", "for identity"],
        True,
        ["used", "used", "absent", "used"],
    ]


def test_a_keyring_that_cuts_passwords_is_found_out(home: Path) -> None:
    result = run(
        home, "CuttingKeyring", "result = told(lambda: store_credential(profile, Secret(PASSWORD), os.environ))"
    )
    assert result["message"] == "the keyring did not store the password unchanged"
    assert result["exit"] == 4


def test_a_keyring_has_less_than_three_seconds() -> None:
    assert KEYRING_LIMIT < 3


def test_a_keyring_that_hangs_is_left(home: Path) -> None:
    # The process ends, too: the thread that hangs does not hold it.
    result = run(home, "HangingKeyring", FIND, limit=KEYRING_LIMIT)
    assert "the keyring did not respond" in result["message"]
    assert result["exit"] == 4
    code = "result = told(lambda: delete_credential(profile, os.environ))"
    result = run(home, "HangingKeyring", code, limit=KEYRING_LIMIT)
    assert "CUSTCTL_DB_PASSWORD_FILE" in result["hint"]


def test_a_locked_keyring_is_told(home: Path) -> None:
    result = run(home, "LockedKeyring", FIND)
    assert "the keyring is locked" in result["message"]
    result = run(home, "LockedKeyring", "result = told(lambda: delete_credential(profile, os.environ))")
    assert result["message"] == "the keyring is locked"
    assert "unlock it" in result["hint"]


def test_a_backend_s_own_words_are_not_repeated(home: Path) -> None:
    result = run(
        home, "TalkativeKeyring", "result = told(lambda: store_credential(profile, Secret(PASSWORD), os.environ))"
    )
    assert "hunter2" not in json.dumps(result)
    assert result["message"] == "the keyring failed (ValueError)"
    assert result["cause"] == "None"


@pytest.mark.parametrize("backend", ["keyring.backends.fail.Keyring", "keyring.backends.null.Keyring"])
def test_no_keyring_is_no_keyring(home: Path, backend: str) -> None:
    result = run(home, backend, "result = told(lambda: delete_credential(profile, os.environ))")
    assert result["message"] == "no system keyring found"
    assert "CUSTCTL_DB_PASSWORD_FILE" in result["hint"]


def test_without_a_bus_there_is_no_keyring(home: Path) -> None:
    result = run(home, None, FIND)
    assert "no system keyring found" in result["message"]


def test_a_backend_that_cannot_be_loaded(home: Path) -> None:
    result = run(home, "no.such.Keyring", FIND)
    assert "`no.such.Keyring` cannot be loaded (ModuleNotFoundError)" in result["message"]


@pytest.mark.parametrize("package", ["keyrings/alt/file.py", "keyrings/cryptfile/cryptfile.py"])
@pytest.mark.parametrize("asked", ["variable", "config file", "not at all"])
def test_plain_text_keyrings_are_refused_even_when_asked_for(home: Path, package: str, asked: str) -> None:
    module = home / package
    module.parent.mkdir(parents=True)
    module.write_text(BACKENDS.replace("priority = 1", "priority = 99"))
    name = package.removesuffix(".py").replace("/", ".") + ".FilledKeyring"
    if asked == "config file":
        (home / "python_keyring").mkdir()
        (home / "python_keyring" / "keyringrc.cfg").write_text(f"[backend]\ndefault-keyring={name}\n")
    result = run(home, name if asked == "variable" else None, FIND)
    expected = "no system keyring found" if asked == "not at all" else "stores passwords in plain text"
    assert expected in result["message"]


def test_a_chain_with_an_unknown_link_is_refused(home: Path) -> None:
    code = """
    import custctl_test_keyrings
    from keyring.backends.chainer import ChainerBackend
    ChainerBackend.backends = [custctl_test_keyrings.FilledKeyring()]
    ChainerBackend.priority = 1
    """
    result = run(home, "keyring.backends.chainer.ChainerBackend", textwrap.dedent(code) + FIND)
    assert "the keyring chain contains `custctl_test_keyrings`" in result["message"]


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"s3cret\n", None),
        (b"s3cret \n", "ends with a space"),
        (b"s3cret\n\n", "an empty line"),
        (b"s3cret\nsecond\n", "more than one line"),
        (b"two words\r\n", None),
    ],
)
def test_what_of_a_file_may_not_be_meant_is_told_without_the_password(
    tmp_path: Path, raw: bytes, told: str | None
) -> None:
    file = tmp_path / "password"
    file.write_bytes(raw)
    environ = {"CUSTCTL_DB_PASSWORD_FILE": str(file)}
    [place] = [place for place in check_credential(server(), environ) if place.state == "used"]
    for found in (place.problem, find_credential(server(), environ).oddity):
        assert (found is None) == (told is None)
        assert (told or "") in (found or "")
        assert told is None or str(file) in (found or "")
        assert "s3cret" not in (found or "")
        assert "second" not in (found or "")
