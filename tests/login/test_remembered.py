"""Who is logged in is remembered for a few minutes: what that saves, and what it must not give."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from custctl.identity.login import session
from custctl.identity.login.keeping import Kept
from custctl.identity.login.remembered import REMEMBERED_FOR, file_of, recall, remember
from custctl.identity.login.session import current
from custctl.profiles.credentials import Secret
from custctl.profiles.model import Login
from custctl.support.errors import CredentialError
from custctl.support.state import locked
from tests.architecture.test_imports import loaded
from tests.conftest import ADA
from tests.login.conftest import Desk

# Nobody listens there.
ISSUER = "http://127.0.0.1:9"
LOGIN = Login(ISSUER, "custctl", ("openid",), "groups", {"support": ("helpdesk",)})


def sue(seconds: float = 600, **claims: Any) -> Kept:
    """Return a login as support, with tokens."""
    end = time.time() + seconds
    told = {"sub": "sue", "groups": ["helpdesk"], **claims}
    return Kept(told, end, Secret("access-token-of-sue"), end, Secret("refresh-token-of-sue"))


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"XDG_STATE_HOME": str(tmp_path)}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Login]:
    """A keyring in which nobody is logged in; returns who was asked for."""
    found: list[Login] = []
    monkeypatch.setattr(session, "read_kept", lambda login, _: found.append(login))
    return found


def test_the_second_command_needs_no_keyring(desk: Desk) -> None:
    desk.ok("migrate")
    desk.ok("customer", "add", *ADA)
    profile = desk.project.path / "profiles" / "dev.yaml"
    profile.write_text(profile.read_text() + "identity: {provider: scim, url: 'https://scim.example/v2'}\n")
    desk._sqlite = profile.read_text()
    desk.at(ISSUER)
    desk.keep(ISSUER, sue())
    get = ("customer", "get", "1")
    assert "keyring" in loaded(desk.project, *get)
    modules = loaded(desk.project, *get)
    assert not modules.intersection({"keyring", "httpx", "joserfc", "botocore", "sqlalchemy"})
    assert desk.ok(*get, "-o", "json").json["email"] == "ada@example.com"
    assert desk.refused(4, "customer", "update", "1", "--city", "Ulm")["details"]["role"] == "support"
    [file] = desk.remembered()
    assert file.stat().st_mode & 0o777 == 0o600
    assert "token" not in file.read_text()


def test_logout_forgets_even_where_the_provider_is_down(desk: Desk) -> None:
    desk.at(ISSUER)
    desk.keep(ISSUER, sue())
    assert desk.ok("whoami", "-o", "json").json["actor"] == "sue"
    assert desk.remembered()
    assert desk.refused(12, "logout")["message"].startswith("logged out on this machine")
    assert desk.remembered() == []
    assert desk.refused(4, "whoami")["message"] == f"not logged in at `{ISSUER}`"


def test_logout_forgets_even_without_a_keyring(desk: Desk) -> None:
    desk.at(ISSUER)
    desk.keep(ISSUER, sue())
    desk.ok("whoami")
    desk.project.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    desk.ok("whoami")
    assert desk.refused(4, "logout")["message"] == "no system keyring found"
    assert desk.refused(4, "whoami")["message"] == "no system keyring found"


def _edited(**changes: Any) -> Callable[[Path], object]:
    return lambda file: file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.mark.parametrize(
    "spoil",
    [
        _edited(read_at=time.time() - REMEMBERED_FOR - 1),
        _edited(read_at=time.time() + 3600),
        _edited(expires_at=time.time() + 20),
        _edited(issuer="https://elsewhere.example"),
        _edited(client_id="other"),
        _edited(claims={"groups": ["helpdesk"]}),
        _edited(claims=None),
        lambda file: file.write_text("{"),
        lambda file: file.write_bytes(b"\xff"),
        lambda file: file.chmod(0o640),
    ],
    ids=["old", "from the future", "expired", "issuer", "client", "nobody", "no claims", "cut", "bytes", "readable"],
)
def test_only_a_fresh_record_of_this_login_counts(
    environ: dict[str, str], asked: list[Login], spoil: Callable[[Path], object]
) -> None:
    with locked(file_of(LOGIN, environ)):
        remember(LOGIN, sue(), environ)
    assert current(LOGIN, environ).subject == "sue"
    assert asked == []
    spoil(file_of(LOGIN, environ))
    with pytest.raises(CredentialError, match="not logged in"):
        current(LOGIN, environ)
    assert asked == [LOGIN]


def test_a_database_that_checks_tokens_gets_one_from_the_keyring(environ: dict[str, str], asked: list[Login]) -> None:
    with locked(file_of(LOGIN, environ)):
        remember(LOGIN, sue(), environ)
    with pytest.raises(CredentialError, match="not logged in"):
        current(LOGIN, environ, with_access=True)
    assert asked == [LOGIN]


def test_the_profile_of_today_gives_the_role(environ: dict[str, str], asked: list[Login]) -> None:
    with locked(file_of(LOGIN, environ)):
        remember(LOGIN, sue(), environ)
    assert current(LOGIN, environ).role == "support"
    assert current(LOGIN._replace(roles={"operator": ("helpdesk",)}), environ).role == "operator"
    assert current(LOGIN._replace(claim="roles"), environ).role is None


def test_a_logout_while_a_command_asks_the_keyring_leaves_nothing(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "read_kept", lambda *_: sue())
    with locked(file_of(LOGIN, environ)) as held:  # as `logout` does
        assert held
        assert current(LOGIN, environ).subject == "sue"
    assert recall(LOGIN, environ) is None
    current(LOGIN, environ)
    assert recall(LOGIN, environ) is not None


def test_a_state_folder_that_cannot_be_written_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "read_kept", lambda *_: sue())
    (tmp_path / "file").touch()
    assert current(LOGIN, {"XDG_STATE_HOME": str(tmp_path / "file")}).subject == "sue"
