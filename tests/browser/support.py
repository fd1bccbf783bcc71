"""The browser driven by Textual's pilot on a real database, and what it shows as plain text."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from textual.pilot import Pilot
from textual.widgets import Input

from custctl.api.opened import Opened
from custctl.api.reporting import Log
from custctl.cli.browser.app import Browser
from custctl.cli.browser.asking import FormScreen
from custctl.cli.browser.desk import Desk, open_desk
from tests.conftest import Project

PATIENCE = 60.0  # seconds, on a busy machine


@dataclass
class Seat:
    """Somebody at the browser."""

    app: Browser
    pilot: Pilot[int]
    desk: Desk

    @property
    def lines(self) -> list[str]:
        """The screen, line by line."""
        return [strip.text.rstrip() for strip in self.app.screen._compositor.render_strips()]

    @property
    def text(self) -> str:
        """The screen."""
        return "\n".join(self.lines)

    async def press(self, *keys: str) -> None:
        """Press keys one after the other; a word of several letters that is no key is typed."""
        for key in keys:
            if key.startswith("'"):
                await self.pilot.press(*[_NAMES.get(char, char) for char in key[1:]])
            else:
                await self.pilot.press(key)

    def field(self, name: str) -> Input:
        """Return a field of the form that is open."""
        screen = self.app.screen
        assert isinstance(screen, FormScreen)
        found: Input = screen.inputs[name]
        return found

    async def until(self, condition: Callable[[], bool], what: str = "") -> None:
        """Wait until something holds."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, f"{what or 'it'} never came:\n{self.text}"
            await self.pilot.pause(0.02)

    async def shows(self, *texts: str) -> None:
        """Wait until the screen shows all of these texts."""
        await self.until(lambda: all(text in self.text for text in texts), f"{texts}")

    async def settled(self) -> None:
        """Wait until nothing is being asked or drawn."""
        await self.until(lambda: not self.desk.worker.is_busy)
        await self.pilot.pause(0.3)  # longer than what is typed waits to be searched for
        await self.until(lambda: not self.desk.worker.is_busy)

    async def hides(self, text: str) -> None:
        """Wait until the screen does not show a text."""
        await self.until(lambda: text not in self.text, f"the end of `{text}`")


_NAMES = {" ": "space", ".": "full_stop", "@": "at", "+": "plus", "=": "equals_sign", "-": "minus", "~": "tilde"}


@asynccontextmanager
async def seated(
    project: Project,
    *,
    env: str = "dev",
    size: tuple[int, int] = (80, 24),
    read_only: str | None = None,
    location: str | None = None,
) -> AsyncIterator[Seat]:
    """Open the browser as `custctl browse` does.

    Args:
        location: what the screen says in place of where the database is.
    """
    opened = Opened(
        env,
        profiles_dir=project.path / "profiles",
        sql_dir=None,
        environ=project.environ,
        cwd=project.path,
        actor="ada",
        tell=Log(),
    )
    desk = open_desk(opened, read_only=read_only)
    desk.location = location or desk.location
    try:
        app = Browser(desk, *desk.first_page())
        async with app.run_test(size=size) as pilot:
            seat = Seat(app, pilot, desk)
            await seat.until(lambda: seat.text.strip() != "")
            yield seat
    finally:
        assert desk.worker.close(PATIENCE)
        opened.close()


def sit(work: Callable[[], object]) -> None:
    """Run a test that waits."""
    asyncio.run(work())  # type: ignore[arg-type]
