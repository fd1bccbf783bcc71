"""What the commands on the cache share."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from custctl.support.errors import CredentialError, ExitCode, RefusedError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from custctl.cache.store import Cache
    from custctl.cli.context import Context

T = TypeVar("T")


def opened(context: Context) -> Cache:
    """Open the profile's cache; whose entries it holds is asked of the database where nobody knows yet.

    Raises:
        RefusedError: the profile has none.
        UnavailableError: the database has to be asked, and does not answer.
    """
    if context.profile.cache is None:
        raise RefusedError(
            f"profile `{context.profile.name}` has no cache", hint="`cache: {url: rediss://…}` in the profile names one"
        )
    if context.cache_memory.database_id is None:
        context.learn_cache(context.database_id())
    cache = context.open_cache(for_its_own_sake=True)
    if cache is None:
        raise RefusedError(
            f"{context.profile.location} has no stamp yet, and nothing of it is cached", hint="run `custctl migrate`"
        )
    return cache


def asked(context: Context, ask: Callable[[], T]) -> T:
    """Return what the cache answers.

    Raises:
        UnavailableError: it does not, or refuses what was asked.
        CredentialError: it refuses the login, the login lacks a right, or there is none.
    """
    from custctl.cache.checking import way_out
    from custctl.cache.store import CacheError

    assert context.profile.cache is not None
    url = context.profile.cache.url
    try:
        return ask()
    except CacheError as error:
        hint, code = way_out(url, error)
        made = CredentialError if code is ExitCode.CREDENTIAL else UnavailableError
        raise made(f"the cache at {url} cannot be used: {error}", hint=hint) from None
