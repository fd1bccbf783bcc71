"""A compiled profile is the profile, and none where anything that it depends on has changed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from custctl.errors import RefusedError, UsageError
from custctl.profiles import Profile, load_profile
from custctl.profiles import schema as schema_module

FULL = """
environment: staging
database:
  engine: postgresql
  name: customers
  user: ${USER_NAME:-custctl}
  nodes:
    - {name: a, host: a.internal}
    - {name: b, host: b.internal, port: 5433, api_port: 8009}
  tls_ca: ca.pem
  connect_timeout: 2s
  replication: {driver: patroni, group: main, max_lag: 1m}
  hooks: {fence: [stop, "{node}"]}
  reads: replica
cache: {url: "rediss://cache.internal:6380/2", ttl: 5m, tls_ca: cache.pem, encrypt: true}
seed: [reference]
"""
FILE = "environment: development\ndatabase: {engine: sqlite, path: data/c.db}\nseed: [reference, demo]\n"

Load = Callable[..., Profile]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load a profile in a folder of its own, and count how often the file was parsed."""
    (tmp_path / "profiles").mkdir()
    parsed: list[str] = []
    read = schema_module.read_profile

    def counting(name: str, *rest: object, **more: object) -> object:
        parsed.append(name)
        return read(name, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(schema_module, "read_profile", counting)

    def loaded(name: str, text: str | None = None, environ: Mapping[str, str] = {}, *, parses: bool) -> Profile:
        if text is not None:
            (tmp_path / "profiles" / f"{name}.yaml").write_text(text)
        before = len(parsed)
        profile = load_profile(
            name, profiles_dir=None, environ={"HOME": str(tmp_path / "home"), **environ}, cwd=tmp_path
        )
        assert (len(parsed) > before) is parses
        return profile

    return loaded


@pytest.mark.parametrize("text", [FULL, FILE])
def test_it_is_the_same_profile(load: Load, text: str) -> None:
    first = load("x", text, parses=True)
    again = load("x", parses=False)
    assert again == first
    assert list(again.settings()) == list(first.settings())
    assert [type(value) for value in (again.environment, again.database.tls, again.source)] == [
        type(value) for value in (first.environment, first.database.tls, first.source)
    ]


def test_another_text_is_read(load: Load) -> None:
    load("x", FILE, parses=True)
    changed = load("x", FILE.replace("data/c.db", "data/d.db"), parses=True)
    assert changed.database.path is not None and changed.database.path.name == "d.db"


def test_another_value_of_a_variable_is_read(load: Load) -> None:
    load("x", FULL, parses=True)
    assert load("x", environ={"USER_NAME": "ada"}, parses=True).database.user == "ada"
    assert load("x", environ={"USER_NAME": "ada"}, parses=False).database.user == "ada"
    assert load("x", parses=True).database.user == "custctl"


def test_a_link_that_leads_elsewhere_is_followed_anew(load: Load, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "data").symlink_to("one")
    assert load("x", FILE, parses=True).database.path == tmp_path / "one" / "c.db"
    load("x", parses=False)
    (tmp_path / "data").unlink()
    (tmp_path / "data").symlink_to("two")
    assert load("x", parses=True).database.path == tmp_path / "two" / "c.db"


def test_two_files_of_one_name_are_kept_apart(load: Load, tmp_path: Path) -> None:
    load("x", FILE, parses=True)
    other = tmp_path / "other"
    other.mkdir()
    (other / "x.yaml").write_text(FULL)
    environ = {"HOME": str(tmp_path / "home")}
    assert load_profile("x", profiles_dir=other, environ=environ, cwd=tmp_path).environment == "staging"
    assert load("x", parses=False).environment == "development"


def test_changed_code_reads_anew(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load("x", FILE, parses=True)
    monkeypatch.setattr("custctl.profiles.compiled.__version__", "99.0")
    load("x", parses=True)


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"facts": {}}', b"\xff\xfe", b'{"facts": null, "profile": 1}'])
def test_what_is_damaged_is_read_anew(load: Load, tmp_path: Path, damage: bytes) -> None:
    first = load("x", FILE, parses=True)
    [kept] = (tmp_path / "home").rglob("*.json")
    kept.write_bytes(damage)
    assert load("x", parses=True) == first
    assert load("x", parses=False) == first


def test_it_is_its_owners_alone(load: Load, tmp_path: Path) -> None:
    load("x", FILE, parses=True)
    [kept] = (tmp_path / "home").rglob("*.json")
    assert kept.stat().st_mode & 0o777 == 0o600


def test_without_a_folder_to_keep_it_it_is_read_each_time(load: Load, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    for _ in range(2):
        load("x", FILE, parses=True)


def test_what_is_refused_is_refused_again(load: Load) -> None:
    refused = FULL.replace("staging", "production").replace("  tls_ca: ca.pem", "  tls: off")
    for _ in range(2):
        with pytest.raises(RefusedError):
            load("x", refused, parses=True)
    for _ in range(2):
        with pytest.raises(UsageError):
            load("x", "environment: nowhere", parses=True)


def test_a_profile_that_is_gone_is_unknown(load: Load, tmp_path: Path) -> None:
    load("x", FILE, parses=True)
    os.unlink(tmp_path / "profiles" / "x.yaml")
    with pytest.raises(UsageError):
        load("x", parses=False)
