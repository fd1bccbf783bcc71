"""`custctl login`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from custctl.cli.commands.whoami import COLUMNS, as_row, require_login
from custctl.cli.context import Context
from custctl.cli.options import PLAIN, command
from custctl.support.errors import InterruptedRunError, UsageError

if TYPE_CHECKING:
    from custctl.identity.login.grants import Prompt
    from custctl.identity.login.keeping import Kept
    from custctl.identity.login.provider import Provider


@command(
    shared=(*PLAIN, "fields"),
    examples="""
custctl login --env prod
custctl login --env prod --device
""",
)
def login(
    ctx: typer.Context,
    device: Annotated[
        bool, typer.Option("--device", help="Log in on another device: shows a URL and a code to enter there.")
    ] = False,
) -> None:
    """Log in at the identity provider of the profile; the tokens are stored in the system keyring.

    A browser opens on this machine. Without a browser, or with `--device`, a code is shown to enter on another device.
    """
    from custctl.identity.login.keeping import require_keyring
    from custctl.identity.login.provider import Provider
    from custctl.identity.login.roles import why_no_role
    from custctl.identity.login.session import begin, is_a_job
    from custctl.support.signals import Terminated

    context = Context.of(ctx)
    section = require_login(context)
    if is_a_job(context.environ):
        raise UsageError(
            "the environment already contains a token or a client's key",
            hint="commands use it without a login; `custctl whoami` shows whose it is",
        )
    # Before the person starts a login that could not be stored.
    require_keyring(section, context.environ)
    provider = Provider(section)
    try:
        kept = _by_person(context, provider, device=device)
    except KeyboardInterrupt as interrupt:
        terminated = isinstance(interrupt, Terminated)
        raise InterruptedRunError("interrupted; not logged in", terminated=terminated) from None
    finally:
        provider.close()
    session, backend = begin(section, kept, context.environ)
    context.wrote(f"`{session.subject}` is logged in", "`custctl whoami` shows it")
    context.console.note(f"logged in as `{session.subject}`; the login is stored in {backend}")
    if session.role is None:
        context.console.warn("no role, so other commands will be refused", hint=why_no_role(session.claims, section))
    context.renderer.one(as_row(context, session), COLUMNS)


def _by_person(context: Context, provider: Provider, *, device: bool) -> Kept:
    from custctl.identity.login.browser import browser_command, by_browser, open_browser
    from custctl.identity.login.grants import by_device
    from custctl.support.text import visible

    def show_code(prompt: Prompt) -> None:
        context.console.note(f"open {visible(prompt.url)} on any device and enter the code {visible(prompt.code)}")
        if prompt.complete is not None:
            context.console.note(f"or open {visible(prompt.complete)}")

    def show_url(url: str) -> None:
        context.console.note(f"log in with the browser; if it does not open, visit {visible(url)}")

    browser = None if device else browser_command(context.environ)
    if browser is None and (device or provider.offers("device_authorization_endpoint")):
        return by_device(provider, show_code)

    def open_url(url: str) -> None:
        if browser is not None and not open_browser(browser, url, context.environ):
            context.console.warn("the browser could not be started")

    return by_browser(provider, show_url, open_url)
