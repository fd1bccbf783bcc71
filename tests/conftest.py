"""Shared fixtures: a folder of one's own with profiles, and the program run in it as a real process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from custctl.schema.names import PRODUCT_SCRIPTS

# On a busy machine any example may be slow. `--hypothesis-profile=ci` tries the same examples each time, and fewer.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("ci"), max_examples=40)
settings.load_profile("busy")

# Where the tests run in the background the shell has Ctrl-C ignored, and `nohup` SIGHUP; what they start would inherit that.
for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)

# Real servers, started by the tests that ask for one.
pytest_plugins = ["tests.servers.fixtures"]

REPOSITORY = Path(__file__).resolve().parent.parent

# How many scripts `migrate` applies to an empty SQLite file.
SQLITE_SCRIPTS = sum((REPOSITORY / "sql" / "sqlite" / name).exists() for name in PRODUCT_SCRIPTS)

PROFILE = "environment: {environment}\ndatabase: {{engine: sqlite, path: {path}}}\nseed: [{seed}]\n"


@dataclass(frozen=True, slots=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """stdout, parsed."""
        return json.loads(self.out)

    @property
    def told(self) -> list[str]:
        """What notes and warnings say, whether stderr is text or JSON."""
        lines = self.err.splitlines()
        documents = [json.loads(line) if line.startswith("{") else {"note": line} for line in lines]
        return [each.get("note") or each["warning"] for each in documents if each.keys() & {"note", "warning"}]

    @property
    def announced(self) -> dict[str, str]:
        """What the command is about to change, from JSON."""
        found: dict[str, str] = json.loads(self.err.splitlines()[0])["announce"]
        return found

    @property
    def error(self) -> dict[str, Any]:
        """The JSON error: the last line of stderr."""
        return json.loads(self.err.splitlines()[-1])["error"]


class _Forgotten(sqlite3.Connection):
    """A connection that need not be closed; from Python 3.13 on, one that is forgotten is a ResourceWarning.

    It may be forgotten in another thread than it was made in.
    """

    def __del__(self) -> None:
        self.close()


@dataclass(slots=True)
class Project:
    """A folder with profiles in which commands are run.

    `dev`, `test`, `staging` and `prod` are SQLite databases of their own. `sql` is the repository's own folder of
    scripts unless `CUSTCTL_SQL_DIR` is changed in `environ`.
    """

    path: Path
    environ: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str | Path, stdin: str | bytes | None = None, timeout: float = 300) -> Result:
        """Run custctl to its end, in a pipe."""
        data = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.path,
            env=self.environ,
            input=data or b"",
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    def ok(self, *arguments: str | Path, stdin: str | bytes | None = None) -> Result:
        """Run custctl and expect exit code 0."""
        result = self.run(*arguments, stdin=stdin)
        assert result.code == 0, f"{arguments}: exit {result.code}\n{result.err}"
        return result

    def start(self, *arguments: str | Path, **options: Any) -> subprocess.Popen[bytes]:
        """Start custctl and go on."""
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, **options}
        return subprocess.Popen(self.command(*arguments), cwd=self.path, env=self.environ, **options)

    def command(self, *arguments: str | Path) -> list[str]:
        """Return the command line."""
        return [sys.executable, "-m", "custctl", *map(str, arguments)]

    def database(self, name: str = "dev") -> sqlite3.Connection:
        """Open a profile's database behind custctl's back, in autocommit mode."""
        return sqlite3.connect(
            self.path / f"{name}.db", isolation_level=None, timeout=30, factory=_Forgotten, check_same_thread=False
        )

    def profile(
        self, name: str, environment: str, *, path: str | None = None, seed: Sequence[str] = ("reference",)
    ) -> None:
        """Write a profile."""
        text = PROFILE.format(environment=environment, path=path or f"{name}.db", seed=", ".join(seed))
        (self.path / "profiles" / f"{name}.yaml").write_text(text)


def clean_environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment that holds nothing of the machine's own settings."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
    own = {
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(home),
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONDONTWRITEBYTECODE": "",
    }
    return {**kept, **own, **(extra or {})}


def make_project(root: Path) -> Project:
    """Make an empty project in a folder of its own: profiles, no databases."""
    folder = root / "project"
    (folder / "profiles").mkdir(parents=True)
    (root / "home").mkdir()
    made = Project(folder, clean_environment(root / "home", {"CUSTCTL_SQL_DIR": str(REPOSITORY / "sql")}))
    made.profile("dev", "development", seed=("reference", "demo"))
    made.profile("test", "test", seed=("reference", "demo"))
    made.profile("staging", "staging")
    made.profile("prod", "production")
    return made


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project: profiles, no databases."""
    return make_project(tmp_path)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `dev` database of a project with the schema and no customers, to be copied."""
    made = make_project(tmp_path_factory.mktemp("migrated"))
    made.ok("migrate")
    return made.path / "dev.db"


@pytest.fixture
def migrated(project: Project, migrated_file: Path) -> Project:
    """A project whose `dev` database has the schema and no customers."""
    shutil.copy(migrated_file, project.path / "dev.db")
    # As one that was migrated here: by this id a cache tells databases apart.
    with closing(project.database()) as copy:
        copy.execute("UPDATE custctl_metadata SET value = ? WHERE name = 'database_id'", (str(uuid.uuid4()),))
    return project


ADA = ("--email", "ada@example.com", "--first-name", "Ada", "--last-name", "Lovelace")
