"""`custctl browse`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from custctl.cli.context import Context
from custctl.cli.options import PLAIN, command
from custctl.support.errors import UsageError

if TYPE_CHECKING:
    from custctl.cli.browser.desk import Desk
    from custctl.cli.browser.pages import Answer
    from custctl.cli.browser.view import View

_PATIENCE = 2.0  # seconds to wait for a read when the browser closes


@command(
    shared=PLAIN,
    examples="""
custctl browse
custctl browse --env prod --read-only
""",
)
def browse(
    ctx: typer.Context,
    read_only: Annotated[bool, typer.Option("--read-only", help="Change nothing.")] = False,
) -> None:
    """Browse customers on the full screen: search as you type, sort, filter, edit. `?` lists the keys."""
    context = Context.of(ctx)
    _check_terminal(context)
    from custctl.cli.browser.desk import open_desk

    desk = open_desk(context.opened, read_only=_why_read_only(read_only), carry=context.carry)
    try:
        # Report a database that cannot be opened like any other command, before the screen changes.
        view, first = desk.first_page()
        if desk.read_only is None:
            context.announce(())
        code = _show(desk, view, first)
    finally:
        if not desk.worker.close(_PATIENCE):
            context.abandon()
    if code:
        raise typer.Exit(code)


def _show(desk: Desk, view: View, first: Answer) -> int:
    """Show the browser until the user quits, and return the exit code.

    Raises:
        Exception: a bug ended it.
    """
    import signal

    from custctl.cli.browser.app import Browser

    app = Browser(desk, view, first)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    code = app.run()
    for number, handler in handlers.items():
        signal.signal(number, handler)  # the event loop had replaced them
    if app.error is not None:
        raise app.error
    return code or 0


def _why_read_only(asked: bool) -> str | None:
    """Return why changes are not allowed, or None if they are."""
    return "`--read-only` was given" if asked else None


def _check_terminal(context: Context) -> None:
    """Ensure that there is a usable screen.

    Raises:
        UsageError: there is no terminal, or it cannot move the cursor.
    """
    hint = "`custctl customer --help` shows the commands that find, show and edit customers"
    # Textual reads from one of these and draws on another.
    if not context.prompter.interactive or not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise UsageError("`browse` needs a terminal for input and output", hint=hint)
    if os.name == "posix" and os.environ.get("TERM", "") in ("dumb", ""):
        raise UsageError("`browse` needs a terminal that can move the cursor, and `TERM` names none", hint=hint)
