"""A server's processes taken as one: stopped, continued and killed together, and never left behind.

PostgreSQL's children are leaders of sessions of their own, so no process group holds them all: they are found by
their parent, in /proc (Linux only).

Run as a program, this file stands between the tests and one server. As its watchdog it starts the server as its own child, and
where the tests' process ends in whatever way, a SIGKILL included, the pipe on its standard input closes and it kills
the server and removes its folder. A parent-death signal (`prctl(PR_SET_PDEATHSIG)`) would not do: it comes already when
the thread ends that started the server, reaches the postmaster alone, and is not acted upon while that is stopped.
For a server that is to outlive who started it, this is merely the parent that waits for its end.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_GONE = frozenset("ZX")
_STOPPED = frozenset("Tt")


def freeze(pid: int) -> None:
    """Stop a process and all its descendants (SIGSTOP), and return when they stand still."""
    stopped: set[int] = set()
    # Until all known ones stand still, there may be new ones.
    while fresh := [each for each in family(pid) if each not in stopped]:
        for each in fresh:
            _send(each, signal.SIGSTOP)
        _wait_for(fresh, _STOPPED | _GONE)
        stopped.update(fresh)


def thaw(pid: int) -> None:
    """Let a process and all its descendants go on (SIGCONT)."""
    for each in reversed(family(pid)):
        _send(each, signal.SIGCONT)


def kill(pid: int) -> None:
    """Kill a process and all its descendants (SIGKILL), and return when they are gone."""
    # A stopped parent starts no child that would be missed.
    freeze(pid)
    members = family(pid)
    for each in members:
        _send(each, signal.SIGKILL)
    _wait_for(members, _GONE)


def family(pid: int) -> list[int]:
    """Return a process and all its living descendants, parents first; nothing where it has ended."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (found := _look(int(name))) and found[1] not in _GONE:
            children.setdefault(found[0], []).append(int(name))
    found = _look(pid)
    members = [pid] if found and found[1] not in _GONE else []
    for each in members:
        members += children.get(each, [])
    return members


def birth(pid: int) -> int | None:
    """Return when a process began, in ticks of the system's clock; with the number that is its own for all time."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(text.rpartition(")")[2].split()[19])


def forget_shared_memory(data: Path) -> None:
    """Remove the System V segment of a killed postmaster, of which the system has a limited number.

    Args:
        data: the cluster's data folder; its lock file names the segment.
    """
    with contextlib.suppress(FileNotFoundError):
        lines = (data / "postmaster.pid").read_text().splitlines()
        if len(lines) > 6 and lines[6].strip():
            segment = int(lines[6].split()[1])
            ctypes.CDLL(None).shmctl(segment, 0, None)  # IPC_RMID


def _look(pid: int) -> tuple[int, str] | None:
    """Return a process's parent and state, or None where there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name before the parenthesis may hold anything.
    state, parent = text.rpartition(")")[2].split()[:2]
    return int(parent), state


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _wait_for(pids: list[int], states: frozenset[str], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    for pid in pids:
        while (found := _look(pid)) and found[1] not in states:
            if time.monotonic() > end:
                raise TimeoutError(f"process {pid} stays in state {found[1]}")
            time.sleep(0.001)


def watch(folder: Path, user: int | None, group: int | None, command: list[str]) -> None:
    """Start a server, tell its process id on standard output, and kill it when standard input closes.

    Args:
        folder: the server's own: its log goes to `log` in it, and all of it is removed with a server that was left.
        user: who the server runs as; None for whoever runs this.
        group: the user's group, or None.
        command: the server, in the foreground.
    """
    # What outlives its parent, as a server does that another program starts, becomes a child of this process. Nobody waits
    # for it; but a server that inherited that could not wait for its own.
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    server = _start(folder, user, group, command)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    ended = os.pidfd_open(server.pid)
    readable, _, _ = select.select([sys.stdin, ended], [], [])
    if ended not in readable:
        for each in family(os.getpid())[1:]:
            kill(each)
        forget_shared_memory(folder / "data")
        shutil.rmtree(folder, ignore_errors=True)
    server.wait()


def keep(folder: Path, user: int | None, group: int | None, command: list[str]) -> None:
    """Start a server, tell its process id on standard output, and only wait for its end.

    Where nobody waits, as in a container without an init, a dead server stays in the table of processes, and
    PostgreSQL takes its lock file for a living one's.
    """
    server = _start(folder, user, group, command)
    # Whoever reads what the starter writes, to its end, is not to wait for the server's.
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
    server.wait()


def _start(folder: Path, user: int | None, group: int | None, command: list[str]) -> subprocess.Popen[bytes]:
    with (folder / "log").open("ab") as log:
        server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            user=user,
            group=group,
            extra_groups=None if user is None else [],
        )
    sys.stdout.write(f"{server.pid}\n")
    sys.stdout.flush()
    return server


if __name__ == "__main__":
    _how, _folder, _user, _group, *_command = sys.argv[1:]
    _do = {"watch": watch, "keep": keep}[_how]
    _do(Path(_folder), int(_user) if _user else None, int(_group) if _group else None, _command)
