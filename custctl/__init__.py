"""custctl administers the database that holds a company's customers: as a program, and as a library.

import custctl

with custctl.open("dev") as client:
    client.migrations.apply()
    client.customers.add({"email": "ada@example.com", "first_name": "Ada", "last_name": "Lovelace"})

The library is `open`, `Client` and the errors; it neither prints nor prompts. `docs/python-api.md` describes it.
"""

from __future__ import annotations

from custctl.support.version import __version__

TYPE_CHECKING = False  # `typing` is not imported for it
if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from custctl.api.client import Client
    from custctl.api.reporting import Reporter
    from custctl.support.errors import (
        ConflictError,
        CredentialError,
        CustctlError,
        ExitCode,
        IncompleteError,
        InvalidError,
        MigrationError,
        NotFoundError,
        OutcomeUnknownError,
        PartialError,
        PendingError,
        RefusedError,
        SplitBrainError,
        UnavailableError,
        UsageError,
    )

__all__ = [
    "Client",
    "ConflictError",
    "CredentialError",
    "CustctlError",
    "ExitCode",
    "IncompleteError",
    "InvalidError",
    "MigrationError",
    "NotFoundError",
    "OutcomeUnknownError",
    "PartialError",
    "PendingError",
    "RefusedError",
    "SplitBrainError",
    "UnavailableError",
    "UsageError",
    "__version__",
    "open",
]


def open(
    profile: str,
    *,
    profiles_dir: str | PathLike[str] | None = None,
    sql_dir: str | PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
    actor: str | None = None,
    tell: Reporter | None = None,
) -> Client:
    """Open a profile. It is read and validated now; the database is connected at its first use.

    Args:
        profile: its name, such as `dev`.
        profiles_dir: the folder that holds it; by default it is searched for as the program does.
        sql_dir: the folder of SQL scripts; by default it is searched for as the program does.
        environ: where variables such as `CUSTCTL_DB_PASSWORD` are looked up; by default the process environment.
        actor: who is recorded in the audit and the journal; by default `user@host` of the process.
        tell: receives notes and warnings; by default they go to the logger `custctl`.

    Returns:
        A context manager that closes its connections at the end.

    Raises:
        UsageError: there is no such profile, it does not validate, or the actor is not valid.
        RefusedError: the profile turns TLS off in production.
    """
    from custctl.api.client import Client

    return Client.of(profile, profiles_dir=profiles_dir, sql_dir=sql_dir, environ=environ, actor=actor, tell=tell)


if not TYPE_CHECKING:  # a type checker would take any name for one of the package

    def __getattr__(name: str) -> object:
        # Looked up when first used: importing the package stays cheap.
        if name == "Client":
            from custctl.api.client import Client

            return Client
        if name in __all__:
            from custctl.support import errors

            return getattr(errors, name)
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
