"""The place in which everything happens, and the record of what was done."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_PATIENCE = 600.0  # In seconds: no program here takes that long, on a busy machine neither.

CANNOT_RUN = 77
"""The exit code of a test that cannot run here, as of automake's tests."""

FILES = Path(__file__).parent / "files"


class Failed(Exception):  # noqa: N818
    """What was to be shown is not so."""


@dataclass(slots=True)
class Place:
    """A folder in memory, that ends with this process.

    Attributes:
        folder: where it is.
        environ: of all programs: PATH leads to the unpacked ones.
        times: what was done, and how long it took, in seconds.
    """

    folder: Path
    environ: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    times: list[tuple[str, float]] = field(default_factory=list)

    @contextlib.contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Print what is done, and how long it took."""
        begun = time.monotonic()
        print(f"-- {what}", flush=True)
        yield
        took = time.monotonic() - begun
        self.times.append((what, took))
        print(f"   {took:.1f} s", flush=True)

    def run(
        self, *command: str, environ: dict[str, str] | None = None, cwd: Path | None = None, expect: int | None = 0
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end.

        Args:
            command: the program and its arguments.
            environ: variables on top of the place's.
            cwd: its folder.
            expect: its exit code; None for any.

        Raises:
            Failed: it ended with another exit code; its output is in the message.
        """
        done = subprocess.run(
            command,
            env={**self.environ, **(environ or {})},
            cwd=cwd or self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        if expect is not None and done.returncode != expect:
            raise Failed(
                f"`{' '.join(command)}` exited with {done.returncode}, not {expect}:\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
            )
        return done


def make_place(folder: Path) -> Place:
    """Make the place, with /run and /etc of its own: no daemon of the machine is reached or disturbed."""
    # Name servers may be named by a file below /run.
    resolvers = Path("/etc/resolv.conf").resolve()
    text = resolvers.read_text() if resolvers.is_relative_to("/run") else None
    place = Place(folder)
    for target in (folder, Path("/run")):
        place.run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(target), cwd=Path("/"))
    cover_etc(place, "etc")
    if text is not None:
        resolvers.parent.mkdir(parents=True)
        resolvers.write_text(text)
    place.environ["TMPDIR"] = str(folder)
    return place


def cover_etc(place: Place, name: str, enter: tuple[str, ...] = ()) -> None:
    """Keep what is written below /etc off this machine; Docker's engine keeps its identity there.

    Args:
        name: a name for the folder that it is kept in.
        enter: what runs a program in a mount namespace that is not this process's.
    """
    upper, work = place.folder / name / "upper", place.folder / name / "work"
    upper.mkdir(parents=True)
    work.mkdir()
    layers = f"lowerdir=/etc,upperdir={upper},workdir={work}"
    place.run(*enter, "mount", "-t", "overlay", "-o", layers, "overlay", "/etc")
