"""One opened profile as typed calls, grouped by subject."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from custctl.api.opened import Opened
from custctl.api.reporting import Log, Reporter

if TYPE_CHECKING:
    from custctl.api.accounts import Accounts
    from custctl.api.audit import Audit
    from custctl.api.cache import Cache
    from custctl.api.customers import Customers
    from custctl.api.migrations import Migrations
    from custctl.api.replicas import Replicas
    from custctl.engines.base import Database
    from custctl.engines.model import Check
    from custctl.profiles import Profile


class Client:
    """A profile and everything that can be done with it; as a context manager, it closes its connections.

    Nothing here prints or prompts. Failures raise `custctl.CustctlError`, whose `exit_code` is the program's. A client
    belongs to one thread.

    Args:
        opened: the profile and what is opened for it.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    @classmethod
    def of(
        cls,
        profile: str,
        *,
        profiles_dir: str | os.PathLike[str] | None = None,
        sql_dir: str | os.PathLike[str] | None = None,
        environ: Mapping[str, str] | None = None,
        actor: str | None = None,
        tell: Reporter | None = None,
    ) -> Client:
        """Open a profile; see `custctl.open`."""
        opened = Opened(
            profile,
            profiles_dir=Path(profiles_dir) if profiles_dir is not None else None,
            sql_dir=Path(sql_dir) if sql_dir is not None else None,
            environ=os.environ if environ is None else environ,
            cwd=Path.cwd(),
            actor=actor,
            tell=tell or Log(),
        )
        # Report their faults now, not at the first call.
        _ = opened.profile, opened.actor
        return cls(opened)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections. The client can still be used: it reconnects."""
        self._opened.close()

    @property
    def profile(self) -> Profile:
        """The profile, validated."""
        return self._opened.profile

    @property
    def database(self) -> Database:
        """The database itself, without any checks: for reading, not for writing."""
        return self._opened.database

    @cached_property
    def customers(self) -> Customers:
        """Read and write customers."""
        from custctl.api.customers import Customers

        return Customers(self._opened)

    @cached_property
    def migrations(self) -> Migrations:
        """The schema: scripts, their state, and seed data."""
        from custctl.api.migrations import Migrations

        return Migrations(self._opened)

    @cached_property
    def replicas(self) -> Replicas:
        """The nodes, and plans for another primary."""
        from custctl.api.replicas import Replicas

        return Replicas(self._opened)

    @cached_property
    def cache(self) -> Cache:
        """The cache; each of its calls raises `RefusedError` if the profile has none."""
        from custctl.api.cache import Cache

        return Cache(self._opened)

    @cached_property
    def audit(self) -> Audit:
        """Who wrote what."""
        from custctl.api.audit import Audit

        return Audit(self._opened)

    @cached_property
    def accounts(self) -> Accounts:
        """Customers' accounts at the identity provider."""
        from custctl.api.accounts import Accounts

        return Accounts(self._opened)

    def doctor(self) -> Iterator[Check]:
        """Yield the checks of `custctl doctor`; a fault is a check whose `ok` is false, not an error."""
        from custctl.api.diagnosis import diagnose

        opened = self._opened
        return diagnose(opened.profile, lambda: opened.database, opened.sql_dir, opened.environ)
