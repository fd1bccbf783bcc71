"""A real etcd server, from Debian's package (see `etcd.sh`) or wherever PATH has one."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from tests.servers.ports import free_port
from tests.servers.supervised import WatchedProcess
from tests.servers.workplace import Workplace

_START_SECONDS = 60.0
_ATTEMPTS = 5


@dataclass(slots=True)
class EtcdServer:
    """A cluster of one server on 127.0.0.1, which keeps nothing beyond its end.

    Attributes:
        process: what runs it.
        port: where clients reach it.
    """

    process: WatchedProcess
    port: int = 0

    @classmethod
    def start(cls, workplace: Workplace) -> EtcdServer:
        """Start a server, and return it when it answers.

        Raises:
            RuntimeError: it is not installed, or does not start.
        """
        program = _program(workplace)
        for _ in range(_ATTEMPTS):
            folder = Path(tempfile.mkdtemp(prefix="etcd-", dir=workplace.path))
            workplace.hand_over(folder)
            made = cls(WatchedProcess(workplace, folder), free_port())
            made._spawn(program)
            if made._answers():
                return made
            log = (folder / "log").read_text(errors="replace")
            made.close()
        raise RuntimeError(f"etcd does not start\n{log}")

    def _spawn(self, program: Path) -> None:
        clients, peers = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{free_port()}"
        options = {
            "data-dir": self.process.folder / "etcd",
            "listen-client-urls": clients,
            "advertise-client-urls": clients,
            "listen-peer-urls": peers,
            "initial-advertise-peer-urls": peers,
            "initial-cluster": f"default={peers}",
            "log-level": "warn",
        }
        command = [str(program), *(f"--{name}={value}" for name, value in options.items())]
        self.process.spawn(command, {"PATH": "/usr/bin:/bin"})

    def _answers(self) -> bool:
        end = time.monotonic() + _START_SECONDS
        while self.process.running and time.monotonic() < end:
            asked = HTTPConnection("127.0.0.1", self.port, timeout=1)
            try:
                asked.request("GET", "/health")
                if b"true" in asked.getresponse().read():
                    return True
            except (OSError, HTTPException):
                time.sleep(0.05)
            finally:
                asked.close()
        return False

    def close(self) -> None:
        """End it and remove its folder."""
        self.process.stop(signal.SIGKILL)
        shutil.rmtree(self.process.folder, ignore_errors=True)


def _program(workplace: Workplace) -> Path:
    """Return the program, in a place from which the servers' user can run it."""
    # The Makefile puts it beside the interpreter where the system has none.
    found = shutil.which("etcd") or shutil.which("etcd", path=str(Path(sys.executable).parent))
    if found is None:
        raise RuntimeError(f"etcd is not installed: `sh tests/servers/etcd.sh {Path(sys.executable).parent}`")
    with workplace.made_once("programs-etcd") as (copy, fresh):
        if fresh:
            copy.chmod(0o755)
            Path(shutil.copy(found, copy / "etcd")).chmod(0o755)
    return copy / "etcd"
