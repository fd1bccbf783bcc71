"""A PostgreSQL primary, two standbys and a Valkey on this machine, with a profile to try failover on.

Each commit waits for one of the standbys, so that a failover can prove what it does not lose.

    cluster.py start              what `make cluster` runs; starts what is down
    cluster.py stop               what `make cluster-stop` runs; ends and removes all of it
    cluster.py status             what each server is
    cluster.py kill NODE          end a node as a crash would
    cluster.py fence NODE         stop a node; the profile's hook `fence`
    cluster.py rejoin NODE PRIMARY    bring a node back as another's standby; the profile's hook `rejoin`
    cluster.py workload           write until Ctrl-C, and tell what was acknowledged, when, and whether it is still there

All of it lives under `.cluster`, in this folder's repository. The servers listen on 127.0.0.1 alone, and never run as root.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
# As a script this file sees its own folder alone.
sys.path.insert(0, str(REPOSITORY))

from tests.servers.cluster import NODES, Cluster  # noqa: E402
from tests.servers.installations import installations  # noqa: E402
from tests.servers.postgresql import SUPERUSER, USER, PostgresqlServer  # noqa: E402
from tests.servers.supervised import LastingProcess  # noqa: E402
from tests.servers.valkey import ValkeyServer  # noqa: E402
from tests.servers.workplace import LastingWorkplace, suits_servers  # noqa: E402
from tests.servers.writer import Writer  # noqa: E402

HOME = REPOSITORY / ".cluster"
PASSWORD_FILE = HOME / "password"
VERSION = "postgresql18"

PROFILE = """\
# Written by `make cluster`.
environment: development
database:
  engine: postgresql
  name: customers
  user: {user}
  auth: password
  nodes:
{nodes}
  tls: off
  replication: {{driver: streaming, max_lag: 5s}}
  reads: replica
  hooks:
    fence: [{python}, {script}, fence, "{{node}}"]
    rejoin: [{python}, {script}, rejoin, "{{node}}", "{{primary}}"]
cache: {{url: "{cache}", ttl: 10m}}
seed: [reference, demo]
"""

ENVIRONMENT = {
    "CUSTCTL_ENV": "cluster",
    "CUSTCTL_PROFILES_DIR": str(HOME / "profiles"),
    "CUSTCTL_SQL_DIR": str(REPOSITORY / "sql"),
    "CUSTCTL_DB_PASSWORD_FILE": str(PASSWORD_FILE),
}

NEXT_STEPS = """
In this shell:
  . .cluster/env
  custctl replica status
In another one, to watch writes while you go on:
  . .cluster/env && python examples/cluster.py workload
A planned change of the primary, and the old one brought back:
  custctl replica switchover --to b
  custctl replica rejoin a
A crash, and what to do then:
  python examples/cluster.py kill b
  custctl replica failover
  custctl replica rejoin b
To end it all:
  make cluster-stop
"""


class Playground:
    """The servers under `.cluster`, running or not."""

    def __init__(self) -> None:
        self._workplace = LastingWorkplace(_servers_folder())
        nodes = {name: self._node(name) for name in NODES}
        self.cluster = Cluster(installations()[VERSION], self._workplace, nodes, synchronous=True)
        folder = self._folder("valkey")
        self.valkey = ValkeyServer(self._workplace, folder, self._process("valkey"), port=_noted_port(folder))
        # Without this mark, the first start did not come to its end.
        self._complete = self._workplace.path / "complete"

    def _node(self, name: str) -> PostgresqlServer:
        folder = self._folder(name)
        process = self._process(name)
        return PostgresqlServer(installations()[VERSION], self._workplace, folder, process, port=_noted_port(folder))

    def _folder(self, name: str) -> Path:
        folder = self._workplace.path / name
        return folder if folder.exists() else self._workplace.make_folder(folder)

    def _process(self, name: str) -> LastingProcess:
        return LastingProcess(self._workplace, self._folder(name))

    def start(self) -> None:
        """Start what is down, or make all of it."""
        if self._complete.exists():
            self._wake()
        else:
            print("making a primary and two standbys …", flush=True)
            self.cluster.reset()
            self._set_passwords()
            _note_ports(self.cluster.nodes.values())
        if not self.valkey.running:
            self.valkey.start()
            _note_ports([self.valkey])
        self._write_profile()
        if not self._complete.exists():
            for command in (("migrate",), ("seed",)):
                print(f"$ custctl {' '.join(command)}", flush=True)
                # What it does it says on stderr.
                subprocess.run(
                    [sys.executable, "-m", "custctl", *command],
                    env={**os.environ, **ENVIRONMENT},
                    stdout=subprocess.DEVNULL,
                    check=True,
                )
            self._complete.touch()

    def _wake(self) -> None:
        """Start the nodes that are down, a former primary among them as a standby of the one there is now."""
        roles = self.cluster.roles()
        down = [name for name, role in roles.items() if role == "down"]
        primary = next((name for name, role in roles.items() if role in {"primary", "fenced"}), None)
        if primary is None and (candidates := [name for name in down if not self._is_standby(name)]):
            primary = max(candidates, key=self._timeline)
            self.cluster.start(primary)
            down.remove(primary)
        for name in down:
            if primary is None or self._is_standby(name):
                self.cluster.start(name)
            else:
                self.cluster.rejoin(name, primary)

    def _is_standby(self, name: str) -> bool:
        return (self.cluster.nodes[name].data / "standby.signal").exists()

    def _timeline(self, name: str) -> int:
        """Return the newest timeline that a node knows of; its control file may still name the one before."""
        histories = (self.cluster.nodes[name].data / "pg_wal").glob("*.history")
        return max((int(path.stem, 16) for path in histories), default=1)

    def _set_passwords(self) -> None:
        """Give the logins passwords that nobody knows who does not know this machine's files; those of tests are public."""
        password = secrets.token_urlsafe(18)
        PASSWORD_FILE.touch(mode=0o600)
        PASSWORD_FILE.write_text(password)
        # The superuser logs in over the socket alone.
        self.cluster.sql(f"ALTER ROLE {SUPERUSER} PASSWORD NULL; ALTER ROLE {USER} PASSWORD '{password}'")

    def _write_profile(self) -> None:
        nodes = "\n".join(
            f"    - {{name: {name}, host: {server.host}, port: {server.port}}}"
            for name, server in self.cluster.nodes.items()
        )
        python, script = (f'"{path}"' for path in (sys.executable, Path(__file__).resolve()))
        text = PROFILE.format(user=USER, nodes=nodes, python=python, script=script, cache=self.valkey.url)
        (HOME / "profiles").mkdir(exist_ok=True)
        (HOME / "profiles" / "cluster.yaml").write_text(text)
        exported = {"PATH": f"{Path(sys.executable).parent}:$PATH", **ENVIRONMENT}
        (HOME / "env").write_text("".join(f'export {name}="{value}"\n' for name, value in exported.items()))

    def status(self) -> None:
        """Tell what each server is."""
        for name, role in self.cluster.roles().items():
            server = self.cluster.nodes[name]
            print(f"{name:<7} {server.host}:{server.port}  {role}")
        print(f"valkey  {self.valkey.host}:{self.valkey.port}  {'runs' if self.valkey.running else 'down'}")

    def stop(self) -> None:
        """End and remove all of it."""
        for server in self.cluster.nodes.values():
            server.stop("immediate")
        self.valkey.stop()
        self._workplace.close()
        shutil.rmtree(HOME)
        print("the cluster is gone")

    def workload(self, seconds: float | None) -> None:
        """Write until Ctrl-C, or for some time, and tell each second how it goes, and at the end what is missing."""
        password = PASSWORD_FILE.read_text()
        end = time.monotonic() + seconds if seconds else None
        with Writer(self.cluster.nodes, password=password) as writer, contextlib.suppress(KeyboardInterrupt):
            while end is None or time.monotonic() < end:
                _tell_second(writer)
        print(
            f"{len(writer.acknowledged)} writes were acknowledged,"
            f" the longest time without one was {writer.longest_gap():.2f} s"
        )
        primaries = [name for name, role in self.cluster.roles().items() if role == "primary"]
        for name in primaries:
            print(f"{len(writer.lost(self.cluster.nodes[name]))} of them are missing on `{name}`")
        if not primaries:
            print("there is no primary now that could tell how many of them it has")


def _tell_second(writer: Writer) -> None:
    begin = time.monotonic()
    time.sleep(1)
    written = [write for write in writer.acknowledged if write.moment > begin]
    nodes = " and ".join(sorted({write.node for write in written}))
    pause = writer.longest_gap(since=begin) * 1000
    told = f"on {nodes}, the longest pause {pause:.0f} ms" if written else "accepted by any node"
    print(f"{len(written):5} writes {told}", flush=True)


def _servers_folder() -> Path:
    """Return where the servers live: under `.cluster`, or where their user cannot enter it, in a public folder."""
    HOME.mkdir(exist_ok=True)
    folder = HOME / "servers"
    if not folder.exists() and not suits_servers(HOME):
        folder.unlink(missing_ok=True)
        folder.symlink_to(tempfile.mkdtemp(prefix="custctl-cluster-"))
    return folder.resolve()


def _noted_port(folder: Path) -> int:
    note = folder / "port"
    return int(note.read_text()) if note.exists() else 0


def _note_ports(servers: Iterable[PostgresqlServer | ValkeyServer]) -> None:
    for server in servers:
        (server.folder / "port").write_text(str(server.port))


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Keep others of these commands out meanwhile."""
    with Path(__file__).open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("start", "stop", "status"):
        verbs.add_parser(verb)
    for verb in ("kill", "fence"):
        verbs.add_parser(verb).add_argument("node", choices=NODES)
    rejoin = verbs.add_parser("rejoin")
    rejoin.add_argument("node", choices=NODES)
    rejoin.add_argument("primary", choices=NODES)
    verbs.add_parser("workload").add_argument("--seconds", type=float, help="end by itself")
    return parser.parse_args()


def _perform(given: argparse.Namespace) -> None:
    if given.verb == "stop" and not HOME.exists():
        print("there is no cluster")
        return
    if given.verb != "start" and not HOME.exists():
        sys.exit("there is no cluster: `make cluster` starts one")
    if given.verb == "workload":
        Playground().workload(given.seconds)
        return
    with _alone():
        ground = Playground()
        match given.verb:
            case "start":
                ground.start()
                ground.status()
                print(NEXT_STEPS)
            case "kill":
                ground.cluster.kill(given.node)
            case "fence":
                ground.cluster.stop(given.node)
            case "rejoin":
                ground.cluster.rejoin(given.node, given.primary)
            case _:
                getattr(ground, given.verb)()


def main() -> None:
    """Run a command."""
    # Whoever ends it by SIGTERM wants the summary too; a shell's background job is born without Ctrl-C.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        _perform(_arguments())
    except KeyboardInterrupt:
        sys.exit(130)
    except (RuntimeError, TimeoutError, subprocess.CalledProcessError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
