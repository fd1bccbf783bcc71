"""No secret is ever cached, and what opens the cache is shown by nothing."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from tests.cache.test_commands import with_cache
from tests.cache.test_sealing import all_values
from tests.conftest import ADA, Project
from tests.servers import ports
from tests.servers.valkey import ValkeyServer

PASSWORD, KEY = "hunter2'ü sEcret", "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IDEyMzQ="
CUSTOMER_PASSWORD = "correct horse battery 9"
TOLD_ALL = ("-v", "-v", "--debug")


@pytest.fixture
def logged_in(migrated: Project, valkey: ValkeyServer) -> Project:
    """A project that logs in to its cache, and seals its entries."""
    valkey.call("FLUSHALL")
    valkey.call("ACL", "SETUSER", "ada", "reset", "on", f">{PASSWORD}", "~custctl:*", "+@all", "-@admin")
    with_cache(migrated, valkey.url.replace("//", "//ada@"), more=", encrypt: true")
    migrated.environ |= {"CUSTCTL_CACHE_PASSWORD": PASSWORD, "CUSTCTL_CACHE_KEY": KEY}
    return migrated


def hidden(text: str) -> None:
    for secret in (PASSWORD, "hunter2", "sEcret", KEY, KEY[:20]):
        assert secret not in text


def test_no_write_leaves_a_secret_in_the_cache(migrated: Project, valkey: ValkeyServer) -> None:
    valkey.call("FLUSHALL")
    with_cache(migrated, valkey.url)
    kept = [all_values(valkey)]

    def did(*arguments: str, stdin: str | None = None, code: int = 0) -> None:
        result = migrated.run(*arguments, stdin=stdin)
        assert result.code == code, result.err
        kept.append(all_values(valkey))

    did("customer", "add", *ADA, "--phone", "+44 20 7946 0101")
    did("customer", "set-password", "1", "--stdin", stdin=f"{CUSTOMER_PASSWORD}\n")
    did("customer", "get", "1")
    did("customer", "get", "ada@example.com")
    did("customer", "verify-password", "1", "--stdin", stdin=f"{CUSTOMER_PASSWORD}\n")
    did("customer", "update", "1", "--phone", "+44 20 7946 0999")
    did("customer", "update", "1", "--email", "lovelace@example.com")
    migrated.environ["EDITOR"] = "sed -i s/Ada/Augusta/"
    did("customer", "edit", "1")
    did("customer", "import", "-", stdin="email,first_name,last_name\nb@example.com,B,B\n")
    did(
        *("customer", "import", "-", "--on-conflict", "update", "--yes"),
        stdin="email,first_name,last_name\nb@example.com,Bea,B\n",
    )
    did("seed")
    did("cache", "warm")
    did("customer", "delete", "1", "--yes")
    did("cache", "status")
    did("cache", "clear")
    everything = b"\n".join(kept)
    with contextlib.closing(sqlite3.connect(migrated.path / "dev.db")) as database:
        hashes = [row[0] for row in database.execute("SELECT * FROM customer_password")]
        audit = {
            str(value)
            for row in database.execute("SELECT * FROM customer_audit")
            for value in row
            if isinstance(value, str) and len(value) >= 32
        }
    # The row itself was there, so that looking proves something.
    assert b"Augusta" in everything
    assert b"+44 20 7946 0999" in everything
    assert audit
    assert hashes == []  # deleted with the customer
    for secret in (CUSTOMER_PASSWORD, "argon2", "$v=19$", *audit):
        assert secret.encode() not in everything
    # Keys are seen by whoever may list them.
    for values in kept:
        assert not any(b"@" in line for line in values.split(b"\n") if line.startswith(b"custctl:"))


def test_what_was_deleted_or_moved_is_not_kept(migrated: Project, valkey: ValkeyServer) -> None:
    valkey.call("FLUSHALL")
    with_cache(migrated, valkey.url)
    migrated.ok("customer", "add", *ADA)
    migrated.ok("customer", "get", "1")
    assert b"Lovelace" in all_values(valkey)
    migrated.ok("customer", "delete", "1", "--yes")
    assert b"Lovelace" not in all_values(valkey)
    assert migrated.run("customer", "get", "1").code == 6
    assert migrated.run("customer", "get", "ada@example.com").code == 6


def test_a_user_of_few_rights_can_do_all_of_it(logged_in: Project, valkey: ValkeyServer) -> None:
    """The rights that the README names."""
    logged_in.ok("customer", "add", *ADA)
    shown = logged_in.ok("customer", "get", "1", "--with-source", "-o", "json").json
    assert shown["source"] == "cache"
    for command in (("cache", "status"), ("cache", "warm"), ("cache", "clear"), ("customer", "delete", "1", "--yes")):
        assert "warning" not in logged_in.ok(*command).err
    logged_in.ok("doctor")


@pytest.mark.parametrize(
    "command",
    [
        ("customer", "add", *ADA),
        ("customer", "get", "1"),
        ("customer", "list"),
        ("cache", "status"),
        ("cache", "warm"),
        ("cache", "clear"),
        ("credential", "check", "--for", "cache"),
        ("credential", "check", "--for", "cache-key"),
        ("profile", "show"),
        ("doctor",),
    ],
    ids=" ".join,
)
def test_no_command_shows_what_opens_the_cache(logged_in: Project, command: tuple[str, ...]) -> None:
    result = logged_in.run(*command, *TOLD_ALL)
    hidden(result.out + result.err)


def test_no_fault_shows_what_opens_the_cache(logged_in: Project, valkey: ValkeyServer) -> None:
    logged_in.ok("customer", "add", *ADA)
    for fault in (ports.refused, ports.silent, ports.garbage, ports.closing):
        with fault() as port:
            for scheme, end in (("rediss", ""), ("redis+sentinel", "/main")):
                url = f"{scheme}://ada@127.0.0.1:{port}{end}"
                with_cache(logged_in, url, more=", encrypt: true")
                result = logged_in.run("doctor", *TOLD_ALL)
                assert result.code == 3
                assert "Traceback" in result.err
                hidden(result.out + result.err)
    with_cache(logged_in, valkey.url.replace("//", "//ada@"), more=", encrypt: true")
    logged_in.environ["CUSTCTL_CACHE_PASSWORD"] = f"{PASSWORD}, mistyped"
    for command in (("cache", "status"), ("customer", "get", "1"), ("customer", "update", "1", "--phone", "1")):
        result = logged_in.run(*command, *TOLD_ALL)
        assert result.code == (4 if command[0] == "cache" else 0)
        hidden(result.out + result.err)
    logged_in.environ["CUSTCTL_CACHE_PASSWORD"] = PASSWORD
    logged_in.environ["CUSTCTL_CACHE_KEY"] = f"{PASSWORD} is no key"
    result = logged_in.run("cache", "status", *TOLD_ALL)
    assert result.code == 4
    hidden(result.out + result.err)


def test_without_a_password_all_but_the_cache_s_own_commands_work(logged_in: Project) -> None:
    logged_in.ok("customer", "add", *ADA)
    del logged_in.environ["CUSTCTL_CACHE_PASSWORD"]
    logged_in.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    assert "no password for user `ada` of the cache" in logged_in.ok("customer", "get", "1", "-v").err
    written = logged_in.ok("customer", "update", "1", "--phone", "2")
    assert "warning: " in written.err
    assert "no password for user `ada` of the cache" in written.err
    status = logged_in.run("cache", "status", "-o", "json")
    assert status.code == 4
    assert "credential check --for cache" in status.error["hint"]


def test_what_is_remembered_on_disk_holds_no_secret_and_is_its_owner_s_alone(logged_in: Project) -> None:
    logged_in.ok("customer", "add", *ADA)
    logged_in.environ["CUSTCTL_CACHE_PASSWORD"] = f"{PASSWORD}, mistyped"
    logged_in.ok("customer", "update", "1", "--phone", "1")
    files = [file for file in Path(logged_in.environ["HOME"]).rglob("*") if file.is_file()]
    assert any(file.name == "cache.json" for file in files)
    for file in files:
        hidden(file.read_text(errors="replace"))
        if file.name == "cache.json":
            assert file.stat().st_mode & 0o077 == 0
            assert "Lovelace" not in file.read_text()


def test_the_process_list_shows_no_secret(logged_in: Project) -> None:
    with ports.silent() as port:
        with_cache(logged_in, f"redis://ada@127.0.0.1:{port}", more=", encrypt: true")
        process = logged_in.start("customer", "get", "1")
        seen = b""
        while process.poll() is None:
            with contextlib.suppress(OSError):
                seen += Path(f"/proc/{process.pid}/cmdline").read_bytes()
        process.communicate()
    assert b"custctl" in seen
    hidden(seen.decode(errors="replace"))
