"""`custctl credential set`."""

from __future__ import annotations

from typing import Annotated

import typer

from custctl.cli.commands.credential.purposes import DATABASE, ForOption, option_of
from custctl.cli.context import Context
from custctl.cli.options import PLAIN, command
from custctl.profiles.credentials import Purpose
from custctl.support.errors import UsageError

COLUMNS = ("profile", "service", "user", "keyring", "for")


@command(
    shared=PLAIN,
    examples="""
custctl credential set --env prod
custctl credential set --env prod --stdin < password.txt
custctl credential set --env prod --for cache
custctl credential set --env prod --for cache-key --generate
custctl credential set --env prod --for identity
""",
)
def set_(
    ctx: typer.Context,
    purpose: ForOption = DATABASE,
    stdin: Annotated[bool, typer.Option("--stdin", help="Read it from the first line of stdin.")] = False,
    generate: Annotated[
        bool, typer.Option("--generate", help="Generate an encryption key for the cache; it is not shown.")
    ] = False,
) -> None:
    """Store a password or key of the profile in the system keyring; a hidden prompt reads it."""
    from custctl.profiles.credentials import Secret, entry_of, require_keyring, store_credential

    if generate and (stdin or purpose is not Purpose.CACHE_KEY):
        raise UsageError("`--generate` needs `--for cache-key` and cannot be used with `--stdin`")
    context = Context.of(ctx)
    profile = context.profile
    entry = entry_of(profile, purpose)
    if generate:
        from custctl.cache.sealing import new_key

        text = new_key()
    else:
        label = "key of the cache's entries" if entry.noun == "key" else f"{entry.noun} of {entry.user}"
        if context.prompter.interactive and not stdin:
            # Before the user types a secret that could not be stored.
            require_keyring(profile, context.environ, purpose)
        text = context.prompter.secret(label, from_stdin=stdin, again=True)
        if purpose is Purpose.CACHE_KEY:
            from custctl.cache.sealing import AesSealer

            # Refuse an invalid key here, not at the first read.
            AesSealer(text)
    backend = store_credential(profile, Secret(text), context.environ, purpose)
    context.wrote(
        f"the {entry.noun} is stored in {backend}", f"`custctl credential check{option_of(purpose)}` shows it"
    )
    context.console.note(f"the {entry.noun} is stored in {backend} as `{entry.service}`")
    kept = {"profile": profile.name, "service": entry.service, "user": entry.user, "keyring": backend}
    context.renderer.one({**kept, "for": str(purpose)}, COLUMNS)
