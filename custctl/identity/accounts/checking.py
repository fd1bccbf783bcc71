"""The check of the identity provider and of its outbox, for `doctor`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from custctl.engines.model import Check
from custctl.identity.accounts.opening import open_provider
from custctl.schema.standing import check_schema, read_standing
from custctl.support.errors import CustctlError, ExitCode
from custctl.support.text import plural

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection
    from custctl.engines.results import Row
    from custctl.profiles import Profile


def check_accounts(
    profile: Profile, open_database: Callable[[], Database], environ: Mapping[str, str]
) -> Iterator[Check]:
    """Yield the check of a profile's identity provider; nothing if it has none.

    Args:
        open_database: returns the profile's database.
    """
    if profile.identity.is_local:
        return
    try:
        name = _ask(profile, environ)
        counts, hashes = open_database().read(_counted, replica=False)
    except CustctlError as error:
        yield Check("identity", False, error.message, error.hint, error.exit_code)
        return
    pending, failed = int(counts.pending), int(counts.failed or 0)
    told = f"{name}: {pending} pending, {failed} failed"
    if hashes:
        told += f"; {plural(hashes, 'password hash', 'password hashes')} still in this database"
        hint = "`custctl identity migrate` moves them to the provider"
        yield Check("identity", False, told, hint, ExitCode.INCOMPLETE)
    elif pending:
        yield Check("identity", False, told, "run `custctl identity sync`", ExitCode.INCOMPLETE)
    else:
        yield Check("identity", True, told)


def _ask(profile: Profile, environ: Mapping[str, str]) -> str:
    """Send the provider a request, and return its name."""
    from custctl.support.web import starting_within

    provider = open_provider(profile, environ)
    try:
        with starting_within(profile.identity.timeout):
            provider.abilities()
    finally:
        provider.close()
    return provider.name


def _counted(connection: Connection) -> tuple[Row, int]:
    check_schema(read_standing(connection))
    return connection.run("outbox.counts").one(), int(connection.run("password.count").scalar())
