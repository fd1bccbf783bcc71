"""A project whose operators log in, with a keyring of its own, and the providers they log in at."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from custctl.identity.login.keeping import Kept, _dumps
from tests.conftest import Project, Result
from tests.servers import bearer, oidc, scripted_provider
from tests.servers.fixtures import PostgresqlServers
from tests.servers.postgresql import PostgresqlServer
from tests.servers.scripted_provider import ScriptedProvider
from tests.unit.test_credentials import BACKENDS

# In a file, as each command is a process of its own; replaced whole, as many run at once.
_ON_DISK = """

import json
import os
import pathlib


class KeyringOnDisk(KeyringBackend):
    priority = 1
    path = pathlib.Path(__file__).with_suffix(".json")

    def all(self):
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def _write(self, held):
        scratch = self.path.with_suffix(f".{os.getpid()}")
        scratch.write_text(json.dumps(held))
        os.replace(scratch, self.path)

    def get_password(self, service, username):
        return self.all().get(f"{service} {username}")

    def set_password(self, service, username, password):
        self._write(self.all() | {f"{service} {username}": password})

    def delete_password(self, service, username):
        self._write({k: v for k, v in self.all().items() if k != f"{service} {username}"})


class WinVaultKeyring(KeyringOnDisk):
    # The Windows Credential Manager takes 2,560 bytes, two a character.
    def set_password(self, service, username, password):
        if len(password) > 1280:
            raise OSError("The stub received bad data")
        super().set_password(service, username, password)
"""


@dataclass(frozen=True, slots=True)
class Issuer:
    """A running oidc-provider.

    Attributes:
        url: its issuer.
        job_key: the private key of the client for jobs.
    """

    url: str
    job_key: ECKey


@pytest.fixture(scope="session")
def issuer() -> Iterator[Issuer]:
    """oidc-provider; its logins last a second beyond the margin in which custctl refreshes them."""
    key = ECKey.generate_key("P-256", {"kid": "job", "alg": "ES256", "use": "sig"})
    with oidc.running(key.as_dict(private=False)) as url:
        yield Issuer(url, key)


@pytest.fixture
def scripted() -> Iterator[ScriptedProvider]:
    with scripted_provider.running() as provider:
        yield provider


class Desk:
    """A project whose profile `dev` makes operators log in."""

    def __init__(self, project: Project, folder: Path) -> None:
        self.project = project
        (folder / "desk_keyring.py").write_text(BACKENDS + _ON_DISK)
        self.keyring = folder / "desk_keyring.json"
        project.environ["PYTHONPATH"] += os.pathsep + str(folder)
        # The test is the person, and has a browser of its own.
        project.environ["BROWSER"] = "true"
        project.environ["PYTHON_KEYRING_BACKEND"] = "desk_keyring.KeyringOnDisk"
        self._sqlite = (project.path / "profiles" / "dev.yaml").read_text()

    def at(self, issuer: str, **options: str) -> Desk:
        """Let operators log in at a provider."""
        (self.project.path / "profiles" / "dev.yaml").write_text(self._sqlite + oidc.profile(issuer, **options))
        return self

    def run(self, *arguments: str) -> Result:
        return self.project.run(*arguments)

    def ok(self, *arguments: str) -> Result:
        return self.project.ok(*arguments)

    def refused(self, code: int, *arguments: str) -> dict[str, Any]:
        result = self.run(*arguments, "-o", "json")
        assert result.code == code, result.err
        return result.error

    def begin(self, *arguments: str) -> tuple[subprocess.Popen[bytes], str]:
        """Start `login`, and return it with the last URL that it shows."""
        process = self.project.start("login", *arguments, stderr=subprocess.PIPE)
        assert process.stderr is not None
        urls: list[str] = []
        end = time.monotonic() + 60
        while not urls or "enter the code" in urls[-1]:
            assert time.monotonic() < end
            line = process.stderr.readline().decode()
            assert line, "login has ended"
            if "http" in line:
                urls.append(line)
        return process, urls[-1].split()[-1]

    def login(self, name: str, *, device: bool = False) -> dict[str, Any]:
        """Log somebody in by oidc-provider; return what `login` prints."""
        process, url = self.begin("-o", "json", *(["--device"] if device else []))
        # The note is JSON, too.
        url = url.rstrip('"}\n')
        person = oidc.Person(name)
        (person.enter if device else person.authorise)(url)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err.decode()
        made: dict[str, Any] = json.loads(out)
        return made

    def expire(self, issuer: str) -> None:
        """Let the kept login be an old one, as time would."""
        held = json.loads(self.keyring.read_text())
        self.change_keyring({name: _expired(value) for name, value in held.items()})

    def keep(self, issuer: str, kept: Kept) -> None:
        """Let somebody be logged in, as `login` leaves it."""
        self.change_keyring({f"custctl:login:{issuer} {oidc.CLIENT}": f"mark:1:{_dumps(kept)}"})

    def change_keyring(self, held: Mapping[str, str]) -> None:
        """Change what the keyring holds, long enough ago for commands to ask it."""
        self.keyring.write_text(json.dumps(held))
        for file in self.remembered():
            file.unlink()

    def remembered(self) -> list[Path]:
        """Return the files that say who is logged in."""
        home = Path(self.project.environ["HOME"])
        return list((home / ".local/state/custctl/logins").glob("*.json"))


def _expired(entry: str) -> str:
    import base64
    import zlib

    mark, count, text = entry.split(":", 2)
    document = json.loads(zlib.decompress(base64.b64decode(text)))
    document |= {"expires_at": time.time() - 5, "access_expires_at": time.time() - 5}
    return f"{mark}:{count}:{base64.b64encode(zlib.compress(json.dumps(document).encode())).decode()}"


@pytest.fixture
def desk(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(project, tmp_path_factory.mktemp("keyring"))


@pytest.fixture(scope="session")
def checking_server(postgresql_servers: PostgresqlServers) -> PostgresqlServer:
    """A PostgreSQL 18 that checks tokens itself."""
    server = postgresql_servers.own("postgresql18")
    bearer.check_tokens(server)
    return server
