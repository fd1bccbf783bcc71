"""Runs the profile's hooks: site-specific commands that stop a service or rejoin a node."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from custctl.support.children import child_environment
from custctl.support.errors import UnavailableError
from custctl.support.text import visible

if TYPE_CHECKING:
    from custctl.engines.model import Node
    from custctl.profiles import Profile

_TIMEOUT = 120.0  # seconds; a large base backup belongs in a background job that the hook starts


def has_hook(profile: Profile, name: str) -> bool:
    """Tell whether a profile has a hook of this name."""
    return name in profile.database.hooks


def run_hook(
    profile: Profile, name: str, node: Node, environ: Mapping[str, str], *, primary: Node | None = None
) -> str:
    """Run a hook without a shell, and return the last line that it printed.

    In its arguments `{node}`, `{host}` and `{port}` stand for the affected node, `{primary}`, `{primary_host}` and
    `{primary_port}` for the current primary.

    Raises:
        UnavailableError: it cannot be run, fails, or times out.
    """
    command = [_filled(word, node, primary) for word in profile.database.hooks[name]]
    told = f"the hook `{name}` for `{node.name}`"
    try:
        process = subprocess.Popen(  # noqa: S603 - what the profile's owner wrote there
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=child_environment(environ),
            # Keeps Ctrl-C from reaching the hook: a half-stopped service is worse than a late one.
            start_new_session=True,
        )
    except OSError as error:
        raise UnavailableError(
            f"{told} cannot be run: {error.strerror}: `{visible(command[0])}`",
            hint=f"check `database.hooks.{name}` in the profile",
        ) from None
    try:
        printed, _ = process.communicate(timeout=_TIMEOUT)
    except BaseException as error:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        raise UnavailableError(f"{told} did not end within {_TIMEOUT:g} s and was killed") from None
    last = _last_line(printed)
    if process.returncode:
        raise UnavailableError(
            f"{told} failed with exit code {process.returncode}{f': {last}' if last else ''}",
            hint="run it manually: `profile show` prints it",
        )
    return last


def _filled(word: str, node: Node, primary: Node | None) -> str:
    values = {"node": node.name, "host": node.host, "port": str(node.port)}
    if primary is not None:
        values |= {"primary": primary.name, "primary_host": primary.host, "primary_port": str(primary.port)}
    for name, value in values.items():
        word = word.replace(f"{{{name}}}", value)
    return word


def _last_line(printed: bytes) -> str:
    lines: Sequence[str] = [line for line in printed.decode(errors="replace").splitlines() if line.strip()]
    return visible(lines[-1].strip())[:300] if lines else ""
