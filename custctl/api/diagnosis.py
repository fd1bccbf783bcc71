"""The checks of `doctor`, each with a fix; a failed check does not stop the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from custctl.cache.checking import check_cache
from custctl.engines.model import Check
from custctl.identity.accounts.checking import check_accounts
from custctl.migrations.checking import check_schema
from custctl.support.errors import CustctlError, ExitCode, NoCredentialError
from custctl.support.paths import user_state_dir
from custctl.support.state import runtime_dir
from custctl.support.text import plural
from custctl.support.tls import KEPT_OUT, USED
from custctl.support.version import __version__

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.profiles import Profile
    from custctl.replication.topology import Topology

ADVISORY = "roles are advisory: the database does not check the tokens, so its own roles are the lock"
"""What a login is worth if the database does not check it."""

CHECKED = "the database checks the token of each operator"

_SKEW = 5.0  # seconds; more than a synchronised clock is ever off, and more than log readers tolerate
_ROOM = 64 * 1024  # bytes; more than the state kept for a profile
_AGAIN = "fix that first, then run `custctl doctor` again"


def diagnose(
    profile: Profile, open_database: Callable[[], Database], sql_dir: Path, environ: Mapping[str, str]
) -> Iterator[Check]:
    """Yield a profile's checks.

    Args:
        open_database: returns the database; an engine driver that cannot be loaded is reported as a fault.
    """
    import platform

    yield Check("custctl", True, f"{__version__}, Python {platform.python_version()}")
    yield Check("profile", True, f"{profile.name} ({profile.environment}), from {profile.source}")
    yield from _guarded("state", lambda: _state(environ))
    yield from _variables(profile, environ)
    if profile.login is not None:
        # Commands check the login before they get here.
        worth = CHECKED if profile.shows_access_token else ADVISORY
        yield Check("operators", True, f"{profile.login.issuer}; {worth}")
    yield from _guarded("credential", lambda: _credential(profile, environ))
    replicas = _Replicas(profile, open_database, environ)
    name = "server" if profile.database.nodes else "database"
    fault = yield from _guarded(name, lambda: map(replicas.completed, _engine(open_database(), sql_dir)))
    if fault is None:
        if profile.database.nodes:
            yield from _guarded("clock", lambda: _clock(open_database()))
        yield from _guarded("schema", lambda: check_schema(open_database(), sql_dir, profile.environment))
    else:
        yield Check("schema", False, f"unknown: cannot query the {name}", _AGAIN, fault.exit_code)
    yield from _guarded("replicas", replicas.checks)
    yield from check_cache(profile, environ)
    yield from check_accounts(profile, open_database, environ)


def _engine(database: Database, sql_dir: Path) -> Iterator[Check]:
    yield from database.checks(sql_dir / database.engine_name)


def _guarded(name: str, checks: Callable[[], Iterator[Check]]) -> Generator[Check, None, CustctlError | None]:
    """Yield checks, and return the error that ended them early, if any."""
    try:
        yield from checks()
    except CustctlError as error:
        yield Check(name, False, error.message, error.hint or _AGAIN, error.exit_code)
        return error
    return None


def _state(environ: Mapping[str, str]) -> Iterator[Check]:
    """Check the state folder by writing to it as commands do."""
    folder = user_state_dir(environ)
    elsewhere = ", or choose another folder with `XDG_STATE_HOME`"
    fault, hint = _unwritable(folder), "make it writable, free some disk space" + elsewhere
    if fault is None:
        mine = os.geteuid() if hasattr(os, "geteuid") else None
        for place in (folder, *sorted(each for each in folder.iterdir() if each.is_dir())):
            found = place.stat()
            if mine is not None and found.st_uid != mine:
                fault, hint = f"`{place}` belongs to another user", f"`chown` it to yourself{elsewhere}"
            elif found.st_mode & 0o022 and os.name != "nt":
                fault, hint = f"other users can write to `{place}`", f"`chmod go-w '{place}'`"
            elif place != folder:
                fault = _unwritable(place)
            if fault is not None:
                break
    if fault is None:
        seals = runtime_dir(environ)
        fault, hint = _unwritable(seals), "make it writable, or choose another folder with `XDG_RUNTIME_DIR`"
    if fault is None:
        yield Check("state", True, str(folder))
    else:
        told = f"{fault}: your writes cannot be recorded, so reads use neither the cache nor a replica"
        yield Check("state", False, told, hint)


def _unwritable(folder: Path) -> str | None:
    """Return why a folder is not writable, or None."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with TemporaryFile(dir=folder) as stream:
            stream.write(bytes(_ROOM))
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        return f"cannot write to `{folder}` ({(error.strerror or str(error)).lower()})"
    return None


def _credential(profile: Profile, environ: Mapping[str, str]) -> Iterator[Check]:
    from custctl.engines import ENGINES
    from custctl.profiles.credentials import find_credential

    oddity = None
    try:
        found = find_credential(profile, environ)
        source, oddity = found.source, found.oddity
    except NoCredentialError:
        if not ENGINES[profile.database.engine].may_go_without_password:
            raise
        source = "none found; the server may not require one"
    yield Check("credential", True, source, oddity)


def _variables(profile: Profile, environ: Mapping[str, str]) -> Iterator[Check]:
    """Report which TLS and Patroni variables are set, before a driver adds its own; the engine reports its driver's."""
    if not profile.database.nodes and profile.cache is None:
        return
    used, kept_out = [*USED], [name for name in KEPT_OUT if environ.get(name)]
    if profile.database.replication.driver == "patroni":
        used += sorted(name for name in environ if name.startswith(("PATRONI_CTL_", "PATRONI_RESTAPI_")))
    used = [name for name in used if environ.get(name)]
    told = [f"{', '.join(names)} {what}" for names, what in ((used, "used"), (kept_out, "ignored")) if names]
    if told:
        yield Check("variables", True, "; ".join(told))


def _clock(database: Database) -> Iterator[Check]:
    """Compare the clocks; the answer's latency does not count as skew."""
    with database.reading() as connection:
        asked = _now()
        told = connection.run("clock.now").scalar()
        answered = _now()
    server = datetime.fromisoformat(str(told))
    skew = max((asked - server).total_seconds(), (server - answered).total_seconds(), 0.0)
    if skew <= _SKEW:
        yield Check("clock", True, f"{skew:.1f} s between this machine and the server")
        return
    side = "behind" if server < asked else "ahead of"
    hint = "the audit log uses the server's clock: synchronize both machines with NTP"
    yield Check("clock", False, f"the server is {skew:.1f} s {side} this machine", hint)


def _now() -> datetime:
    return datetime.now(UTC)


class _Replicas:
    """The nodes, examined once at first use."""

    def __init__(self, profile: Profile, open_database: Callable[[], Database], environ: Mapping[str, str]) -> None:
        self._profile = profile
        self._open_database = open_database
        self._environ = environ

    @cached_property
    def _look(self) -> tuple[Topology, str | None]:
        """Return the nodes, and what an operator can do about them.

        Raises:
            CustctlError: the driver cannot be used.
        """
        from custctl.replication.nodes import Means
        from custctl.replication.opening import opened
        from custctl.support.identity import actor

        means = Means(self._profile, self._open_database(), self._environ, actor(), lambda _: None)
        with opened(means) as driver:
            topology = driver.refreshed(driver.observe())
            return topology, driver.way_out(topology)

    @property
    def _driver(self) -> str:
        return self._profile.database.replication.driver

    def checks(self) -> Iterator[Check]:
        """Yield the health of the nodes."""
        nodes = len(self._profile.database.nodes)
        kept = f"driver {self._driver}, {plural(nodes, 'node', 'nodes')}"
        if self._driver == "none":
            yield Check("replicas", True, kept)
            if self._open_database().waits_for_standbys:
                yield from _confirmations(self._open_database())
            return
        topology, way_out = self._look
        health, reasons = topology.health, topology.reasons()
        told = f"{kept}: {health.in_words}{'; ' if reasons else ''}{'; '.join(reasons)}"
        hint = way_out or "`custctl replica status` shows the nodes"
        yield Check("replicas", not health.exit_code, told, hint if health.exit_code else None, health.exit_code)

    def completed(self, check: Check) -> Check:
        """Return a check of the server with a fix that depends on the other nodes."""
        if check.name != "writes" or check.ok or self._driver == "none":
            return check
        try:
            _, way_out = self._look
        except CustctlError:
            return check
        return check._replace(hint=way_out or check.hint)


def _confirmations(database: Database) -> Iterator[Check]:
    """Report primaries whose commits wait for missing standbys, although the profile has no replicas."""
    from custctl.engines.members import Member
    from custctl.replication.topology import UNCONFIRMED, missing_confirmations

    members = database.members([node.name for node in database.nodes])
    for member in members.values():
        if not isinstance(member, Member):
            continue  # already reported by reads and writes above
        with closing(member):
            waiting = missing_confirmations(member.node, member.observe())
        if waiting is not None:
            yield Check("commits", False, waiting, UNCONFIRMED, ExitCode.INCOMPLETE)
