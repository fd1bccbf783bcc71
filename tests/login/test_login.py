"""Operators log in at a real OpenID provider, work as their roles allow, and log out."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from custctl.support.identity import system_user
from tests.conftest import ADA
from tests.login.conftest import Desk, Issuer
from tests.servers import oidc

# What a JWT or an opaque token of the provider looks like.
_TOKEN = re.compile(r"eyJ[\w-]{10,}\.|[\w-]{43}")


def test_a_login_in_the_browser_works_as_its_role_allows_and_ends_with_logout(desk: Desk, issuer: Issuer) -> None:
    desk.ok("migrate")
    desk.ok("customer", "add", *ADA)
    desk.at(issuer.url)
    error = desk.refused(4, "customer", "get", "1")
    assert error["message"] == f"not logged in at `{issuer.url}`"
    assert error["hint"] == "run `custctl login`"

    made = desk.login("sue")
    assert (made["actor"], made["role"], made["issuer"], made["source"]) == ("sue", "support", issuer.url, "keyring")
    assert desk.ok("customer", "get", "1", "-o", "json").json["email"] == "ada@example.com"
    error = desk.refused(4, "customer", "update", "1", "--city", "Ulm")
    assert error["message"] == "`customer update` needs the role `operator`: `sue` has the role `support`"
    assert desk.refused(4, "migrate")["details"] == {"needed": "admin", "role": "support"}

    # Another login takes its place, and the audit names who it is.
    assert desk.login("olga")["role"] == "operator"
    desk.ok("customer", "update", "1", "--city", "Ulm")
    entry = desk.ok("audit", "list", "-o", "json").json["items"][0]
    assert (entry["actor"], entry["login"]) == ("olga", system_user())
    told = desk.ok("whoami", "-o", "json").json
    assert (told["actor"], told["name"], told["role"], told["client_id"]) == ("olga", "olga", "operator", oidc.CLIENT)

    desk.ok("logout")
    assert desk.refused(4, "whoami")["message"] == f"not logged in at `{issuer.url}`"
    assert json.loads(desk.keyring.read_text()) == {}
    assert "not logged in" in desk.ok("logout").err


def test_a_login_on_another_device_without_a_role_may_do_nothing(desk: Desk, issuer: Issuer) -> None:
    desk.at(issuer.url)
    assert desk.login("eve", device=True)["role"] is None
    error = desk.refused(4, "customer", "list")
    assert error["message"] == "`customer list` needs the role `support`: `eve` has no role"
    assert "the claim `groups`" in error["hint"]
    # The profile needs no login to be looked at.
    desk.ok("profile", "show")


def test_twenty_processes_at_once_refresh_an_expired_login_once(desk: Desk, issuer: Issuer) -> None:
    desk.ok("migrate")
    desk.at(issuer.url)
    desk.login("sue")
    before = desk.keyring.read_text()
    desk.expire(issuer.url)
    many = [desk.project.start("customer", "list") for _ in range(20)]
    ended = [(process.communicate(timeout=120), process.returncode) for process in many]
    assert [code for _, code in ended] == [0] * 20, [err for (_, err), _ in ended]
    # Had the token been used twice, the provider would have revoked all of them.
    after = desk.keyring.read_text()
    assert after != before
    desk.expire(issuer.url)
    desk.ok("customer", "list")


def test_logout_revokes_the_login(desk: Desk, issuer: Issuer) -> None:
    desk.at(issuer.url)
    desk.login("sue")
    stolen = desk.keyring.read_text()
    desk.ok("logout")
    desk.keyring.write_text(stolen)
    desk.expire(issuer.url)
    error = desk.refused(4, "whoami")
    assert (error["message"], error["hint"]) == (f"the login at `{issuer.url}` has ended", "run `custctl login`")


def test_a_refresh_that_was_killed_is_not_repeated(desk: Desk, issuer: Issuer) -> None:
    desk.at(issuer.url)
    desk.login("sue")
    spent = desk.keyring.read_text()
    desk.expire(issuer.url)
    old = desk.keyring.read_text()
    # Killed when the provider had answered and the keyring had not been written: the mark is there, the token is old.
    killer = (
        "import os, sys, custctl.identity.login.session as session\n"
        "session.keep = lambda *_: os._exit(9)\n"
        "sys.argv = ['custctl', 'whoami']\n"
        "from custctl.cli.app import main; main()"
    )
    killed = subprocess.run(
        [sys.executable, "-c", killer], cwd=desk.project.path, env=desk.project.environ, check=False
    )
    assert killed.returncode == 9
    assert desk.keyring.read_text() == old != spent
    error = desk.refused(4, "whoami")
    assert error["message"] == f"the login at `{issuer.url}` has expired, and its refresh was interrupted"
    assert desk.login("sue")["role"] == "support"
    desk.expire(issuer.url)
    desk.ok("whoami")


@pytest.mark.parametrize("form", ["JWK", "PEM"])
def test_a_job_proves_itself_by_a_private_key(desk: Desk, issuer: Issuer, tmp_path: Path, form: str) -> None:
    desk.at(issuer.url)
    profile = desk.project.path / "profiles" / "dev.yaml"
    profile.write_text(profile.read_text().replace(f"client_id: {oidc.CLIENT}", f"client_id: {oidc.JOB}"))
    key = tmp_path / "key"
    key.write_bytes(
        issuer.job_key.as_pem(private=True)
        if form == "PEM"
        else json.dumps(issuer.job_key.as_dict(private=True)).encode()
    )
    desk.project.environ["CUSTCTL_CLIENT_KEY_FILE"] = str(key)
    told = desk.ok("whoami", "-o", "json").json
    assert (told["actor"], told["role"], told["source"]) == (oidc.JOB, "admin", "client credentials")
    desk.ok("migrate")
    assert not desk.keyring.exists()


def test_a_job_proves_itself_by_a_secret_or_brings_a_token(desk: Desk, issuer: Issuer, tmp_path: Path) -> None:
    desk.at(issuer.url)
    profile = desk.project.path / "profiles" / "dev.yaml"
    profile.write_text(profile.read_text().replace(f"client_id: {oidc.CLIENT}", f"client_id: {oidc.JOB_WITH_SECRET}"))
    desk.project.environ["CUSTCTL_CLIENT_SECRET"] = oidc.SECRET
    assert desk.ok("whoami", "-o", "json").json["role"] == "support"
    assert desk.refused(4, "seed")["details"] == {"needed": "admin", "role": "support"}
    desk.project.environ["CUSTCTL_CLIENT_SECRET"] = "wrong-" + oidc.SECRET
    wrong = desk.run("--debug", "whoami")
    assert (wrong.code, oidc.SECRET in wrong.err) == (4, False)

    form = {"grant_type": "client_credentials", "client_id": oidc.JOB_WITH_SECRET, "client_secret": oidc.SECRET}
    token = httpx.post(f"{issuer.url}/token", data=form).json()["access_token"]
    file = tmp_path / "token"
    file.write_text(f"{token}\n")
    desk.project.environ["CUSTCTL_TOKEN_FILE"] = str(file)
    assert desk.ok("whoami", "-o", "json").json["source"] == "CUSTCTL_TOKEN_FILE"
    assert desk.refused(2, "login")["message"] == "the environment already contains a token or a client's key"
    head, claims, signature = token.split(".")
    file.write_text(f"{head}.{claims}.{signature[:-8]}AAAAAAAA")
    error = desk.refused(4, "whoami")
    assert error["message"].startswith("the token of `CUSTCTL_TOKEN_FILE` is not signed by a key of its issuer")


def test_nothing_shows_a_token(desk: Desk, issuer: Issuer) -> None:
    desk.ok("migrate")
    desk.at(issuer.url)
    process, url = desk.begin("-v", "--debug")
    argv = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode()
    oidc.Person("olga").authorise(url)
    out, err = (text.decode() for text in process.communicate(timeout=60))
    shown = [argv, out, err]
    for arguments in (
        ("whoami", "-o", "json"),
        ("customer", "list", "-v"),
        ("audit", "list"),
        ("customer", "get", "9"),
    ):
        result = desk.run("--debug", *arguments)
        shown += [result.out, result.err]
    assert not any(_TOKEN.search(text) for text in shown), shown


def test_a_child_gets_none_of_it(desk: Desk, issuer: Issuer, tmp_path: Path) -> None:
    desk.at(issuer.url)
    browser = tmp_path / "browser"
    browser.write_text(
        f'#!/bin/sh\n{{ env; echo "url=$1"; }} >{tmp_path}/seen.tmp\nmv {tmp_path}/seen.tmp {tmp_path}/seen\n'
    )
    browser.chmod(0o755)
    desk.project.environ |= {"BROWSER": str(browser), "CUSTCTL_DB_PASSWORD": "hunter2"}
    process, url = desk.begin()
    end = time.monotonic() + 60
    while not (tmp_path / "seen").exists() and time.monotonic() < end:
        time.sleep(0.02)
    seen = (tmp_path / "seen").read_text()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert f"url={url}" in seen
    assert "hunter2" not in seen
    assert process.returncode == 130
    assert err.decode().splitlines()[-1] == "error: interrupted; not logged in"


def test_a_keyring_of_short_entries_holds_a_login(desk: Desk, issuer: Issuer) -> None:
    desk.project.environ["PYTHON_KEYRING_BACKEND"] = "desk_keyring.WinVaultKeyring"
    desk.at(issuer.url)
    desk.login("zoe")
    held = json.loads(desk.keyring.read_text())
    assert len(held) > 1
    assert desk.ok("whoami", "-o", "json").json["actor"] == "zoe"
    # Whoever was stopped halfway leaves a login that is none.
    name = next(name for name in held if name.endswith("#1"))
    desk.change_keyring(held | {name: "other:part"})
    assert desk.refused(4, "whoami")["hint"] == "run `custctl login`"
    # What a killed login or logout has left goes with the next one.
    left = name.replace("#1", "#9")
    desk.change_keyring(held | {left: "part"})
    desk.login("zoe")
    assert left not in json.loads(desk.keyring.read_text())
    desk.change_keyring({left: "part"})
    desk.ok("logout")
    assert json.loads(desk.keyring.read_text()) == {}


def test_without_a_keyring_login_says_so_before_anybody_logs_in(desk: Desk, issuer: Issuer) -> None:
    desk.at(issuer.url)
    desk.project.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    error = desk.refused(4, "login")
    assert error["message"] == "no system keyring found"
    assert error["hint"] == "on a machine without one, name a file with a token in `CUSTCTL_TOKEN_FILE`"
    assert desk.refused(4, "customer", "list")["message"] == "no system keyring found"


def test_a_read_with_a_valid_login_loads_no_library_for_logging_in(desk: Desk, issuer: Issuer) -> None:
    desk.ok("migrate")
    desk.ok("customer", "add", *ADA)
    desk.at(issuer.url)
    desk.login("sue")
    look = (
        "import sys\nsys.argv = ['custctl', 'customer', 'get', '1', '-q']\n"
        "from custctl.cli.app import main\ncode = main()\n"
        "heavy = {'httpx', 'joserfc', 'cryptography'}\n"
        "print(code, sorted(heavy & {name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", look],
        cwd=desk.project.path,
        env=desk.project.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.splitlines()[-1] == "0 []"


def test_a_profile_without_a_login_asks_nobody(desk: Desk) -> None:
    told = desk.ok("whoami", "-o", "json").json
    assert (told["role"], told["source"]) == (None, "operating system")
    assert told["actor"].endswith(f"@{os.uname().nodename}")
    assert desk.refused(2, "login")["message"] == "profile `dev` has no `login`"
