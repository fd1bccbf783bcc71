"""Runs the profile's hooks: site-specific commands that stop a service or rejoin a node."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from custctl.support.children import child_environment
from custctl.support.errors import InterruptedRunError, UnavailableError
from custctl.support.signals import Terminated, next_raises, postponed
from custctl.support.text import visible

if TYPE_CHECKING:
    from custctl.engines.model import Node
    from custctl.profiles import Profile

_TIMEOUT = 120.0  # seconds; a large base backup belongs in a background job that the hook starts
_TAIL = 16 * 1024  # bytes of the output in which to look for its last line


def has_hook(profile: Profile, name: str) -> bool:
    """Tell whether a profile has a hook of this name."""
    return name in profile.database.hooks


def run_hook(
    profile: Profile,
    name: str,
    node: Node,
    environ: Mapping[str, str],
    *,
    primary: Node | None = None,
    note: Callable[[str], None],
    began: Callable[[], None] = lambda: None,
) -> str:
    """Run a hook without a shell, and return the last line that it printed.

    In its arguments `{node}`, `{host}` and `{port}` stand for the affected node, `{primary}`, `{primary_host}` and
    `{primary_port}` for the current primary.

    A signal does not stop the hook: a half-stopped service is worse than a late one. A second one kills it.

    Args:
        note: called with progress messages for a person.
        began: called once the hook runs.

    Raises:
        UnavailableError: it cannot be run, fails, or times out.
        InterruptedRunError: a signal came; the message says how the hook ended.
    """
    command = [_filled(word, node, primary) for word in profile.database.hooks[name]]
    what = f"the hook `{name}` for `{node.name}`"
    try:
        # Not a pipe: a service that the hook leaves in the background would keep it open.
        output = tempfile.TemporaryFile()  # noqa: SIM115 - the block below closes it
    except OSError as error:
        raise UnavailableError(
            f"{what} cannot be run, for want of a temporary file: {error.strerror}",
            hint="free some disk space, or name another folder with `TMPDIR`",
        ) from None
    with output:
        return _run(command, name, what, environ, output, note, began)


def _run(
    command: list[str],
    name: str,
    what: str,
    environ: Mapping[str, str],
    output: IO[bytes],
    note: Callable[[str], None],
    began: Callable[[], None],
) -> str:
    deadline = time.monotonic() + _TIMEOUT
    process = None
    try:
        try:
            # A signal between the hook's start and the line that waits for it would leave it running unknown.
            with postponed():
                process = _start(command, name, what, environ, output)
                began()
            process.wait(timeout=_TIMEOUT)
        except KeyboardInterrupt as interrupt:
            if process is None:
                raise
            raise _interrupted(process, what, output, deadline, note, interrupt) from interrupt
    except subprocess.TimeoutExpired:
        _kill(process)
        raise UnavailableError(f"{what} did not end within {_TIMEOUT:g} s and was killed") from None
    except BaseException:
        _kill(process)
        raise
    last = _last_line(output)
    if process.returncode:
        raise UnavailableError(
            f"{what} {_ended(process.returncode, last)}", hint="run it manually: `profile show` prints it"
        )
    return last


def _start(
    command: list[str], name: str, what: str, environ: Mapping[str, str], output: IO[bytes]
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 - what the profile's owner wrote there
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=child_environment(environ),
            start_new_session=True,  # keeps Ctrl-C from reaching the hook
        )
    except OSError as error:
        raise UnavailableError(
            f"{what} cannot be run: {error.strerror}: `{visible(command[0])}`",
            hint=f"check `database.hooks.{name}` in the profile",
        ) from None


def _interrupted(
    process: subprocess.Popen[bytes],
    what: str,
    output: IO[bytes],
    deadline: float,
    note: Callable[[str], None],
    interrupt: KeyboardInterrupt,
) -> InterruptedRunError:
    """Let a hook end after a signal, and return the error to raise; a second signal kills it."""
    try:
        with next_raises():
            left = max(deadline - time.monotonic(), 0)
            with suppress(Exception):  # the hook comes first
                note(f"interrupted: waiting for {what} to end, at most {left:.0f} s; Ctrl-C kills it")
            process.wait(timeout=left)
    except (KeyboardInterrupt, subprocess.TimeoutExpired):
        _kill(process)
        outcome = "was killed"
    else:
        outcome = _ended(process.returncode, _last_line(output))
    return InterruptedRunError(f"interrupted; {what} {outcome}", terminated=isinstance(interrupt, Terminated))


def _ended(code: int, last: str) -> str:
    return (f"failed with exit code {code}" if code else "ended without an error") + (f": {last}" if last else "")


def _kill(process: subprocess.Popen[bytes] | None) -> None:
    if process is None:
        return
    with suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _filled(word: str, node: Node, primary: Node | None) -> str:
    values = {"node": node.name, "host": node.host, "port": str(node.port)}
    if primary is not None:
        values |= {"primary": primary.name, "primary_host": primary.host, "primary_port": str(primary.port)}
    for name, value in values.items():
        word = word.replace(f"{{{name}}}", value)
    return word


def _last_line(output: IO[bytes]) -> str:
    output.seek(max(output.seek(0, os.SEEK_END) - _TAIL, 0))
    lines: Sequence[str] = [line for line in output.read().decode(errors="replace").splitlines() if line.strip()]
    return visible(lines[-1].strip())[:300] if lines else ""
