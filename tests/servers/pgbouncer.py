"""A real PgBouncer before a server, from Debian's package (see `debian.sh`)."""

from __future__ import annotations

import shutil
import signal
import socket
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers.debian import debian_folder
from tests.servers.ports import free_port
from tests.servers.postgresql import PASSWORD, USER, PostgresqlServer
from tests.servers.supervised import WatchedProcess
from tests.servers.workplace import Workplace

_START_SECONDS = 60.0


@dataclass(slots=True)
class PgBouncer:
    """A pooler on 127.0.0.1, which ends with its block.

    Attributes:
        process: what runs it.
        port: where clients reach it.
    """

    process: WatchedProcess
    port: int

    @classmethod
    def start(cls, workplace: Workplace, server: PostgresqlServer, **settings: str | int) -> Self:
        """Start a pooler before a server, and return it when it listens.

        Args:
            workplace: where it lives.
            server: what it connects to.
            settings: as in pgbouncer.ini: `pool_mode="transaction"`.
        """
        programs = debian_folder(workplace)
        folder = Path(tempfile.mkdtemp(prefix="pgbouncer-", dir=workplace.path))
        made = cls(WatchedProcess(workplace, folder), free_port())
        given = {
            "listen_addr": "127.0.0.1",
            "listen_port": made.port,
            "unix_socket_dir": "",
            "auth_type": "scram-sha-256",
            "auth_file": folder / "users",
            "default_pool_size": 5,
            **settings,
        }
        (folder / "users").write_text(f'"{USER}" "{PASSWORD}"\n')
        lines = [f"{name} = {value}" for name, value in given.items()]
        text = "\n".join(["[databases]", f"* = host={server.host} port={server.port}", "[pgbouncer]", *lines, ""])
        (folder / "pgbouncer.ini").write_text(text)
        workplace.hand_over(folder, folder / "users", folder / "pgbouncer.ini")
        library = next(programs.glob("usr/lib/*/libcares.so.2")).parent
        command = [str(programs / "usr/sbin/pgbouncer"), str(folder / "pgbouncer.ini")]
        made.process.spawn(command, {"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": str(library)})
        made._wait()
        return made

    def _wait(self) -> None:
        end = time.monotonic() + _START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                assert self.process.running, self.log
                assert time.monotonic() < end, self.log
                time.sleep(0.02)
            else:
                return

    @property
    def log(self) -> str:
        """What it has logged."""
        return (self.process.folder / "log").read_text(errors="replace")

    def close(self) -> None:
        """End it and remove its folder."""
        self.process.stop(signal.SIGKILL)
        shutil.rmtree(self.process.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
