"""The process of a server: one that ends with the tests, or one that outlives who started it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.servers import processes
from tests.servers.workplace import Workplace

_STOP_SECONDS = 30.0


class ServerProcess(ABC):
    """A server's first process, with whatever descends from it.

    Attributes:
        folder: the server's own, in which it works; its output goes to `log` there.
        pid: the first process's, while it runs.
    """

    def __init__(self, workplace: Workplace, folder: Path) -> None:
        self.workplace = workplace
        self.folder = folder
        self.pid: int | None = None

    @property
    @abstractmethod
    def running(self) -> bool:
        """Whether there is a process, be it a stopped one."""

    @abstractmethod
    def spawn(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        """Start the server, as who runs the servers.

        Args:
            command: the server, in the foreground.
            environ: its environment.
        """

    @abstractmethod
    def _wait(self) -> None:
        """Return when it has ended.

        Raises:
            TimeoutError: it has not, after half a minute.
        """

    def _launch(
        self, how: str, command: Sequence[str], environ: Mapping[str, str], *, stdin: int
    ) -> subprocess.Popen[str]:
        """Start the server under a process of its own.

        Args:
            how: `watch` or `keep` (see `processes`).

        Raises:
            RuntimeError: it cannot be started.
        """
        user, group = self.workplace.user, self.workplace.group
        options = [how, str(self.folder), str(user or ""), str(group or "")]
        above = subprocess.Popen(
            [sys.executable, "-I", "-S", processes.__file__, *options, *command],
            stdin=stdin,
            stdout=subprocess.PIPE,
            text=True,
            env=environ,
            # An interrupt from the keyboard is not for the server, which is stopped in its own time.
            start_new_session=True,
        )
        assert above.stdout is not None
        started = above.stdout.readline().strip()
        above.stdout.close()
        if not started:
            if above.stdin is not None:
                above.stdin.close()
            above.wait(_STOP_SECONDS)
            raise RuntimeError("the server could not be started; standard error says why")
        self.pid = int(started)
        return above

    def forget(self) -> None:
        """Let go of what is held for a process that has ended."""
        self.pid = None

    def stop(self, number: signal.Signals) -> None:
        """Ask it to end, and return when it has.

        Raises:
            TimeoutError: it did not, and was killed.
        """
        if self.running and self.pid is not None:
            processes.thaw(self.pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)
            try:
                self._wait()
            except TimeoutError:
                self.kill()
                raise
        self.forget()

    def kill(self) -> None:
        """End it and its descendants at once (SIGKILL)."""
        if self.running and self.pid is not None:
            processes.kill(self.pid)
            self._wait()
        self.forget()

    def freeze(self) -> None:
        """Stop it and its descendants (SIGSTOP): connections still come about in the kernel, and nothing answers."""
        assert self.pid is not None
        processes.freeze(self.pid)

    def thaw(self) -> None:
        """Let it go on."""
        assert self.pid is not None
        processes.thaw(self.pid)


class WatchedProcess(ServerProcess):
    """A watchdog ends it with the tests' process, even where that is killed (see `processes`)."""

    _watchdog: subprocess.Popen[str] | None = None

    @property
    def running(self) -> bool:
        return self._watchdog is not None and self._watchdog.poll() is None

    def spawn(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self._watchdog = self._launch("watch", command, environ, stdin=subprocess.PIPE)

    def _wait(self) -> None:
        assert self._watchdog is not None
        try:
            self._watchdog.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"process {self.pid} does not end") from None

    def forget(self) -> None:
        if self._watchdog is not None:
            assert self._watchdog.stdin is not None
            self._watchdog.stdin.close()
            self._watchdog.wait(_STOP_SECONDS)
        self._watchdog = None
        super().forget()


class LastingProcess(ServerProcess):
    """It outlives who started it, and any process finds it again by its folder: its id and birth stand in `pid` there."""

    def __init__(self, workplace: Workplace, folder: Path) -> None:
        super().__init__(workplace, folder)
        self._note = folder / "pid"
        if self.running:
            self.pid = self._noted()[0]

    @property
    def running(self) -> bool:
        pid, birth = self._noted()
        # Another process may have the number by now.
        return bool(processes.family(pid)) and processes.birth(pid) == birth

    def _noted(self) -> tuple[int, int]:
        try:
            pid, birth = self._note.read_text().split()
        except (FileNotFoundError, ValueError):
            return 0, 0
        return int(pid), int(birth)

    def spawn(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        # Held, so that it is no unfinished business when it goes out of sight.
        self._parent = self._launch("keep", command, environ, stdin=subprocess.DEVNULL)
        self._note.write_text(f"{self.pid} {processes.birth(self.pid or 0)}")

    def _wait(self) -> None:
        end = time.monotonic() + _STOP_SECONDS
        while self.running:
            if time.monotonic() > end:
                raise TimeoutError(f"process {self.pid} does not end")
            time.sleep(0.005)
