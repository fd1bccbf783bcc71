"""Pages of the documentation as what they tell a reader to type, and what he then sees.

Blocks of `console` and `sh` are run in the page's order, in one shell. In a `console` block `$ ` begins a command, a
backslash at a line's end continues it, and the lines below it are its output; a command without output may print
anything. In what is printed, `…` stands for anything, over lines too.

HTML comments, which a reader does not see, say what else there is to do:

    <!-- run with: postgresql -->      above the first block: the servers that the page needs
    <!-- run first: COMMANDS -->       commands that the page does not show
    <!-- file: NAME -->                the next block is the text of this file
    <!-- not run: REASON -->           the next block is not run
"""

from __future__ import annotations

import fcntl
import os
import re
import struct
import subprocess
import termios
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from tests.conftest import REPOSITORY

PAGES = {
    str(file.relative_to(REPOSITORY)): file
    for file in (REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md")))
}
SHELLS = ("console", "sh")

_PIECE = re.compile(
    r"^<!-- (?P<what>run with|run first|file|not run):\s*(?P<argument>.*?)\s*-->\n"
    r"|^```(?P<language>[\w-]*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
# Longer than any command of a page takes on a busy machine.
_SECONDS = 600
_WIDTH, _HEIGHT = 120, 50


@dataclass(slots=True)
class Command:
    """What is typed, and what the page shows below it.

    Attributes:
        text: as a shell takes it.
        shown: the output in the page; None where it shows none.
        where: the place of the output in the page's text.
        fails: whether the page shows an exit code after it.
    """

    text: str
    shown: str | None = None
    where: tuple[int, int] = (0, 0)
    fails: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    Attributes:
        language: as the fence names it.
        text: its lines.
        start: where they begin in the page.
        notes: the comments above it, by what they say.
    """

    language: str
    text: str
    start: int
    notes: Mapping[str, str]

    @property
    def is_run(self) -> bool:
        """Whether a shell runs it."""
        return self.language in SHELLS and "not run" not in self.notes

    def commands(self) -> list[Command]:
        """Return what is typed, in order."""
        if self.language == "sh":
            return [Command(self.text)]
        found: list[Command] = []
        position = self.start
        continues = False
        for line in self.text.splitlines(keepends=True):
            end = position + len(line)
            if continues:
                found[-1].text += line
            elif line.startswith("$ "):
                found.append(Command(line[2:], where=(end, end)))
            else:
                found[-1].shown = (found[-1].shown or "") + line
                found[-1].where = (found[-1].where[0], end)
            if continues or line.startswith("$ "):
                continues = line.endswith("\\\n")
                found[-1].where = (end, end)
            position = end
        for command, following in pairwise(found):
            command.fails = following.text.strip() == "echo $?"
        return found


@dataclass(frozen=True, slots=True)
class Page:
    """A page.

    Attributes:
        text: all of it.
        servers: what it is run with: `postgresql`, `cluster`, `cache`; empty for nothing.
        steps: blocks, and commands that the page does not show, in order.
    """

    text: str
    servers: str
    steps: tuple[Block | Command, ...]

    @property
    def blocks(self) -> list[Block]:
        """The fenced blocks."""
        return [step for step in self.steps if isinstance(step, Block)]


def read_page(text: str) -> Page:
    """Read a page."""
    steps: list[Block | Command] = []
    notes: dict[str, str] = {}
    servers = ""
    for piece in _PIECE.finditer(text):
        if piece["what"] == "run with":
            servers = piece["argument"]
        elif piece["what"] == "run first":
            steps.append(Command(piece["argument"] + "\n"))
        elif piece["what"]:
            notes[piece["what"]] = piece["argument"]
        else:
            steps.append(Block(piece["language"], piece["text"], piece.start("text"), notes))
            notes = {}
    return Page(text, servers, tuple(steps))


@dataclass(slots=True)
class Shell:
    """A shell that a page's commands are typed into, one after the other, with a terminal for what they print.

    Nobody is there to answer: stdin is empty.

    Attributes:
        folder: where it is.
        environ: its environment.
        settled: what stands for a text that differs from run to run.
    """

    folder: Path
    environ: dict[str, str]
    settled: dict[str, str] = field(default_factory=dict)

    def run(self, command: Command) -> tuple[int, str]:
        """Run a command; `cd`, variables and the exit code reach the next one.

        Returns:
            The exit code and all that was printed.
        """
        state = self.folder.parent / "shell"
        restored = f". '{state}'\n" if state.exists() else ""
        # Of a block of several lines each has to succeed.
        strict = "set -e\n" if "\n" in command.text.strip() and not command.fails else ""
        script = (
            f"set -o pipefail\n{restored}{strict}{command.text}\n"
            f"code=$?; {{ export -p; echo \"cd '$PWD'; (exit $code)\"; }} >'{state}'; exit $code\n"
        )
        terminal, inside = os.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", _HEIGHT, _WIDTH, 0, 0))
        process = subprocess.Popen(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=inside,
            stderr=inside,
        )
        os.close(inside)
        printed = b"".join(_read(terminal))
        os.close(terminal)
        return process.wait(_SECONDS), self._settle(printed.decode().replace("\r\n", "\n"))

    def _settle(self, printed: str) -> str:
        for found, written in self.settled.items():
            printed = printed.replace(found, written)
        return "".join(line.rstrip() + "\n" for line in printed.splitlines())


def _read(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            return
        if not data:
            return
        yield data


def agrees(shown: str, printed: str) -> bool:
    """Tell whether what a page shows is what was printed; times and the length of lines in tables may differ."""
    pattern = ".*".join(map(re.escape, _comparable(shown).split("…")))
    return re.fullmatch(pattern, _comparable(printed), re.DOTALL) is not None


def _comparable(text: str) -> str:
    return re.sub(r"─+", "─", re.sub(r"\b\d+(\.\d+)? (ms|s)\b", "0 ms", text)).strip()
