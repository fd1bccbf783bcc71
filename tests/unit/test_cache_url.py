"""A cache's URL: its forms, what is refused, and what a profile makes of it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custctl.profiles import load_profile
from custctl.profiles.cache_url import Address, has_password, parse_url
from custctl.support.errors import ExitCode, RefusedError, UsageError

SQLITE = "environment: {environment}\ndatabase: {{engine: sqlite, path: x.db}}\ncache: {{{cache}}}\n"


def one(host: str, port: int | None = 6379, *, tls: bool = False, user: str | None = None, number: int = 0) -> Address:
    return Address("single", ((host, port),), tls, user, number)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://h", one("h")),
        ("valkey://h/", one("h")),
        ("rediss://cache.internal:6380/0", one("cache.internal", 6380, tls=True)),
        ("valkeys://h/15", one("h", tls=True, number=15)),
        ("redis://ada@h:1", one("h", 1, user="ada")),
        ("redis://a%40b@h", one("h", user="a@b")),
        ("redis://[::1]:7000/3", one("::1", 7000, number=3)),
        ("redis://[fe80::1]", one("fe80::1")),
        ("unix:///run/valkey.sock", one("/run/valkey.sock", None)),
        ("unix:///run/valkey.sock?db=2", one("/run/valkey.sock", None, number=2)),
        ("unix://ada@/run/a%20b", one("/run/a b", None, user="ada")),
        (
            "redis+sentinel://s1,s2:26380,[::1]/main/2",
            Address("sentinel", (("s1", 26379), ("s2", 26380), ("::1", 26379)), False, None, 2, "main"),
        ),
        ("rediss+sentinel://ada@s1/main", Address("sentinel", (("s1", 26379),), True, "ada", 0, "main")),
        ("valkeys+cluster://c1,c2:7001", Address("cluster", (("c1", 6379), ("c2", 7001)), True, None, 0)),
        ("redis+cluster://c1/", Address("cluster", (("c1", 6379),), False, None, 0)),
    ],
)
def test_the_forms(url: str, address: Address) -> None:
    assert parse_url(url) == address


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "form"),
        ("h:6379", "form"),
        ("redis:/h", "form"),
        ("REDIS://h", "form"),
        ("redis://h/0#x", "form"),
        ("redis://u:hunter2@h", "form"),
        ("redis://a@b@h", "form"),
        ("http://h", "it must start with"),
        ("redis+ring://h", "followed by `sentinel` or `cluster`"),
        ("redis://", "a host must be"),
        ("redis://h,", "several hosts|a host must be"),
        ("redis://h1,h2", "several hosts"),
        ("redis://h h", "a host must be"),
        ("redis://::1", "a host must be"),
        ("redis://[x]", "a host must be"),
        ("redis://h:", "a host must be"),
        ("redis://h:0", "a port must be"),
        ("redis://h:65536", "a port must be"),
        ("redis://h:٣", "a host must be"),
        ("redis://h/x", "the number of a database"),
        ("redis://h/-1", "the number of a database"),
        ("redis://h/1_0", "the number of a database"),
        ("redis://h/٣", "the number of a database"),
        ("redis://h/0/0", "the number of a database"),
        ("redis://h?db=1", "is not allowed"),
        ("unix://", "write a socket as"),
        ("unix://run/valkey.sock", "write a socket as"),
        ("unix+cluster:///run/valkey.sock", "write a socket as"),
        ("unix:///run/valkey.sock?db=x", "must end with"),
        ("unix:///run/valkey.sock?db=1&x=2", "must end with"),
        ("redis+sentinel://s1", "the name of the master"),
        ("redis+sentinel://s1/", "the name of the master"),
        ("redis+sentinel://s1/main/x", "the number of a database"),
        ("redis+cluster://c1/0", "without a number"),
    ],
)
def test_what_is_none_is_refused_with_the_reason(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        parse_url(url)
    assert "hunter2" not in str(caught.value)


HOSTS = st.one_of(
    st.from_regex(r"[a-z][a-z0-9.-]{0,20}", fullmatch=True),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
)
PLACES = st.lists(st.tuples(HOSTS, st.integers(1, 65535)), min_size=1, max_size=4)
# Anything but nothing, and a lone surrogate, which no encoding has.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(
    places=PLACES,
    scheme=st.sampled_from(["redis", "rediss", "valkey", "valkeys"]),
    kind=st.sampled_from(["", "sentinel", "cluster"]),
    user=st.none() | TEXTS,
    service=TEXTS,
    number=st.integers(0, 99999),
)
def test_what_is_put_together_comes_apart_again(
    places: list[tuple[str, int]], scheme: str, kind: str, user: str | None, service: str, number: int
) -> None:
    places = places if kind else places[:1]
    login = f"{quote(user, safe='')}@" if user is not None else ""
    hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in places)
    path = {"": f"/{number}", "sentinel": f"/{quote(service, safe='')}/{number}", "cluster": ""}[kind]
    url = f"{scheme}{'+' if kind else ''}{kind}://{login}{hosts}{path}"
    assert parse_url(url) == Address(
        kind or "single",
        tuple(places),
        scheme.endswith("ss") or scheme == "valkeys",
        user,
        0 if kind == "cluster" else number,
        service if kind == "sentinel" else "",
    )
    assert not has_password(url)


@given(path=TEXTS, user=st.none() | TEXTS, number=st.none() | st.integers(0, 99999))
def test_a_socket_s_path_comes_apart_again(path: str, user: str | None, number: int | None) -> None:
    login = f"{quote(user, safe='')}@" if user is not None else ""
    query = f"?db={number}" if number is not None else ""
    url = f"unix://{login}/{quote(path, safe='')}{query}"
    assert parse_url(url) == one(f"/{path}", None, user=user, number=number or 0)


ALPHABET = st.sampled_from(list("redis+unixvalkysclutrn:/@,?#[]%.-_0129=ä \n\0"))


@given(st.one_of(st.text(), st.text(ALPHABET, max_size=40).map(lambda text: f"redis://{text}"), st.text(ALPHABET)))
def test_any_text_is_an_address_or_a_value_error(url: str) -> None:
    try:
        address = parse_url(url)
    except ValueError as error:
        # A URL may hold a password where nobody looks for one.
        assert len(url) < 4 or url not in str(error)
    else:
        assert address.hosts
        assert all(host and (port is None or 0 < port < 65536) for host, port in address.hosts)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("redis://:hunter2@h", True),
        ("redis://u:hunter2@h", True),
        ("redis://u:hun ter2@h", True),
        ("nonsense://u:hunter2@h", True),
        ("redis://u@h:6379", False),
        ("redis://[::1]:6379", False),
        ("unix:///a:b@c", False),
    ],
)
def test_a_password_is_seen(url: str, found: bool) -> None:
    assert has_password(url) is found


def load(folder: Path, environment: str, cache: str) -> object:
    (folder / "profiles").mkdir(exist_ok=True)
    (folder / "profiles" / "p.yaml").write_text(SQLITE.format(environment=environment, cache=cache))
    return load_profile("p", profiles_dir=None, environ={"XDG_CONFIG_HOME": str(folder)}, cwd=folder)


@pytest.mark.parametrize("environment", ["staging", "production"])
@pytest.mark.parametrize("url", ["redis://h", "valkey://127.0.0.1", "redis+sentinel://h/main", "redis+cluster://h"])
def test_a_cache_in_the_clear_is_refused_where_customers_are_real(tmp_path: Path, environment: str, url: str) -> None:
    with pytest.raises(RefusedError, match=f"a cache without TLS is refused in {environment}") as caught:
        load(tmp_path, environment, f"url: '{url}'")
    assert caught.value.exit_code is ExitCode.REFUSED
    assert "profiles/p.yaml:3" in caught.value.message
    assert "rediss://" in str(caught.value.hint)


def test_it_is_refused_each_time(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(RefusedError):
            load(tmp_path, "staging", "url: 'redis://h'")


@pytest.mark.parametrize("environment", ["development", "test", "staging", "production"])
@pytest.mark.parametrize(
    "url", ["rediss://h", "valkeys://h", "unix:///run/valkey.sock", "rediss+sentinel://h/main", "valkeys+cluster://h"]
)
def test_tls_and_a_socket_are_taken_everywhere(tmp_path: Path, environment: str, url: str) -> None:
    load(tmp_path, environment, f"url: '{url}'")


@pytest.mark.parametrize("environment", ["development", "test"])
def test_elsewhere_a_cache_may_be_in_the_clear(tmp_path: Path, environment: str) -> None:
    load(tmp_path, environment, "url: 'redis://h'")


def test_all_of_the_section_is_shown_with_its_origin(tmp_path: Path) -> None:
    profile = load(tmp_path, "test", "url: 'rediss://ada@h', ttl: 90s, tls_ca: ca.pem, encrypt: true")
    settings = {each.key: (each.value, each.origin) for each in profile.settings()}  # type: ignore[attr-defined]
    assert settings["cache.url"] == ("rediss://ada@h", "profiles/p.yaml:3")
    assert settings["cache.ttl"] == ("90s", "profiles/p.yaml:3")
    assert settings["cache.tls_ca"] == (str(tmp_path / "ca.pem"), "profiles/p.yaml:3")
    assert settings["cache.encrypt"] == ("true", "profiles/p.yaml:3")
    profile = load(tmp_path, "test", "url: 'redis://h'")
    settings = {each.key: (each.value, each.origin) for each in profile.settings()}  # type: ignore[attr-defined]
    assert settings["cache.ttl"] == ("10m", "default")
    assert settings["cache.encrypt"] == ("false", "default")
    assert "cache.tls_ca" not in settings


def test_a_password_with_a_blank_in_it_is_refused_too(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a profile must not contain a password") as caught:
        load(tmp_path, "test", "url: 'redis://u:hun ter2@h'")
    assert "ter2" not in f"{caught.value.message}{caught.value.hint}"
