"""A profile's database, customers and cache, each opened at first use."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from custctl.support.errors import PendingError, RefusedError, UnavailableError, UsageError

if TYPE_CHECKING:
    from custctl.api.reporting import Reporter
    from custctl.cache.memory import Memory
    from custctl.cache.mirroring import CacheMirror
    from custctl.cache.store import Cache
    from custctl.customers.queries import ListQuery
    from custctl.customers.reading import CustomerReader
    from custctl.customers.store import CustomerStore
    from custctl.engines.base import Database
    from custctl.engines.reads import Replicas
    from custctl.identity.login.session import Session
    from custctl.profiles import Profile
    from custctl.schema.own import OwnFields
    from custctl.schema.standing import Standing

_WAIT_STEP = 0.5  # seconds between attempts to reach a starting database


class Opened:
    """A profile and what is opened for it.

    Args:
        name: the profile's name.
        profiles_dir: the folder that holds it; None to search for it.
        sql_dir: the folder of SQL scripts; None to search for it.
        environ: the environment variables.
        cwd: the folder that relative paths start from.
        actor: the name recorded in audit and journal; None for the operator or the user of this process.
        tell: receives notes and warnings.
    """

    def __init__(
        self,
        name: str,
        *,
        profiles_dir: Path | None,
        sql_dir: Path | None,
        environ: Mapping[str, str],
        cwd: Path,
        actor: str | None,
        tell: Reporter,
    ) -> None:
        self._name = name
        self._profiles_dir = profiles_dir
        self._sql_dir = sql_dir
        self._cwd = cwd
        self._actor = actor
        self._caches: list[Cache] = []
        self.environ = environ
        self.tell = tell

    @cached_property
    def profile(self) -> Profile:
        """The profile, validated."""
        from custctl.profiles import load_profile

        return load_profile(self._name, profiles_dir=self._profiles_dir, environ=self.environ, cwd=self._cwd)

    @cached_property
    def sql_dir(self) -> Path:
        """Folder of SQL scripts."""
        from custctl.support.paths import find_sql_dir

        return find_sql_dir(self._sql_dir, self.environ, self._cwd)[0]

    @cached_property
    def session(self) -> Session | None:
        """The operator's login; None if the profile needs none.

        Raises:
            CredentialError: nobody is logged in.
            UnavailableError: the login must be checked or refreshed, and the identity provider does not answer.
        """
        if self.profile.login is None:
            return None
        from custctl.identity.login.session import current

        return current(self.profile.login, self.environ, with_access=self.profile.shows_access_token)

    @property
    def is_login_over(self) -> bool:
        """Whether the login has expired since it was checked; a long process then calls `renew_login`."""
        return self.session is not None and self.session.is_over

    def renew_login(self) -> None:
        """Check the login again if it has expired, and refresh it if possible.

        Raises:
            CredentialError: nobody is logged in any more, or somebody else is, or with another role.
            UnavailableError: the identity provider does not answer.
        """
        login, before = self.profile.login, self.session
        if login is None or before is None or not before.is_over:
            return
        from custctl.identity.login.session import current
        from custctl.support.errors import CredentialError

        fresh = current(login, self.environ, with_access=self.profile.shows_access_token)
        if (fresh.subject, fresh.role) != (before.subject, before.role):
            message = f"the login at `{login.issuer}` is now another operator's, or has another role"
            raise CredentialError(message, hint="start the command again")
        self.session = fresh

    @cached_property
    def actor(self) -> str:
        """The actor recorded in the audit log and the journal; by default the operator who is logged in.

        Raises:
            UsageError: the given name cannot be recorded.
            CredentialError: the profile needs a login, and nobody is logged in.
        """
        from custctl.support.identity import actor, check_actor

        if self._actor is not None:
            return check_actor(self._actor)
        return self.session.subject if self.session is not None else actor()

    # -- the database ------------------------------------------------------------------------------

    @cached_property
    def database(self) -> Database:
        """The profile's database; connects at first use."""
        from custctl.engines import open_database
        from custctl.engines.base import EngineSettings
        from custctl.engines.model import Node

        named, login = self.profile.database, self.profile.login
        settings = EngineSettings(
            location=self.profile.location,
            path=named.path,
            connect_timeout=named.connect_timeout,
            statement_timeout=named.statement_timeout,
            nodes=[Node(node.name, node.host, node.port) for node in named.nodes],
            name=named.name or "",
            schema=named.schema or "",
            user=named.user,
            auth=named.auth,
            tls=named.tls,
            tls_ca=named.tls_ca,
            actor=self.actor,
            password=cache(self._password),
            token=self._token(),
            renew=self._renew_token,
            issuer=login.issuer if login is not None else "",
            client_id=login.client_id if login is not None else "",
            replicas=self._replicas(),
        )
        made = open_database(named.engine, settings)
        made.own = self._remembered_fields()
        made.on_learn = self._remember_fields
        return made

    def _replicas(self) -> Replicas | None:
        """Return what routes reads, or None if there is only one server."""
        named = self.profile.database
        if len(named.nodes) < 2:
            return None
        from custctl.replication.positions import Positions
        from custctl.replication.routing import Routing
        from custctl.support.paths import user_state_dir

        folder = user_state_dir(self.environ)
        positions = Positions.of(folder, self.profile.name, [named.engine, named.name, named.schema])
        return Routing(positions, spread=named.reads == "replica", max_lag=named.replication.max_lag, tell=self.tell)

    def _password(self) -> str | None:
        from custctl.profiles.credentials import find_credential

        secret = find_credential(self.profile, self.environ).secret
        return secret.reveal() if secret is not None else None

    def _token(self) -> Callable[[str, int], str] | None:
        """Return a function that returns the login token for a host and port, or None if the login needs no token."""
        from custctl.profiles.model import Auth

        if self.profile.shows_access_token:
            return lambda _host, _port: self._access_token()
        if self.profile.database.auth is Auth.RDS_IAM:
            from custctl.identity.login.rds import rds_token

            user = self.profile.database.user or ""
            return lambda host, port: rds_token(host, port, user, self.environ).reveal()
        return None

    def _renew_token(self) -> None:
        """Renew the login if the database checks it: a long command may connect again when its token has expired."""
        if self.profile.shows_access_token:
            self.renew_login()

    def _access_token(self) -> str:
        from custctl.support.errors import CredentialError

        session = self.session
        if session is None or session.access_token is None:
            raise CredentialError("the login brought no access token for the database", hint="run `custctl login`")
        return session.access_token.reveal()

    # Own fields are remembered between commands, so that a read takes one round trip. Each row shows whether they are
    # still current.

    @property
    def _fields_file(self) -> Path:
        from custctl.support.state import state_file

        return state_file(self.profile.name, self.profile.location, self.environ, "fields.json")

    def _remembered_fields(self) -> OwnFields:
        from custctl.schema.own import NO_OWN_FIELDS, parse_record

        try:
            return parse_record(self._fields_file.read_text(encoding="utf-8"))
        except (OSError, UnicodeError, RefusedError, UsageError):  # the last if there is no home folder
            return NO_OWN_FIELDS

    def _remember_fields(self, own: OwnFields) -> None:
        from custctl.support.state import write_whole

        with suppress(OSError, UsageError):  # the last if there is no home folder
            if own.record is None:
                self._fields_file.unlink(missing_ok=True)
            else:
                self._fields_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                write_whole(self._fields_file, own.record)

    def own_fields(self, names: Iterable[str] = ()) -> OwnFields:
        """Return the remembered own fields; ask the database if one of the names is unknown.

        Raises:
            UnavailableError: it does not respond.
        """
        from custctl.customers.model import FIELDS

        if any(name not in FIELDS and name not in self.database.own.by_name for name in names):
            self.learn_fields()
        return self.database.own

    def learn_fields(self) -> OwnFields:
        """Ask the database for its own fields.

        Raises:
            UnavailableError: it does not respond.
        """
        from custctl.schema.standing import read_standing

        with suppress(PendingError), self.database.reading() as connection:
            self.database.learn(connection, read_standing(connection).own_fields)
        return self.database.own

    def checked(self, query: ListQuery) -> ListQuery:
        """Return a list's query after checking its fields and the types of its values.

        Raises:
            UsageError: there is no such field, or it cannot be used in this way.
            InvalidError: a value does not have its field's type.
            UnavailableError: a field is unknown, and the database does not respond.
        """
        from custctl.customers.queries import check_list

        return check_list(query, self.own_fields(query.fields))

    def filters(self, status: str | None, country: str | None, where: Sequence[str]) -> ListQuery | None:
        """Return the checked query of these filters, sorted by id; None without filters. Raises as `checked` does."""
        if status is None and country is None and not where:
            return None
        from custctl.customers.queries import list_query

        return self.checked(list_query(None, status, country, where))

    def database_id(self) -> str | None:
        """Ask the database for its id; return None if it has none of its own yet.

        Raises:
            UnavailableError: it does not respond.
        """
        from custctl.schema.standing import read_standing

        try:
            with self.database.reading() as connection:
                return self._own_id(read_standing(connection))
        except PendingError:
            return None

    def _own_id(self, standing: Standing) -> str | None:
        """Return the database's id; None if it is a copy of another environment's database.

        Until `migrate repair` restamps it, a copy has the id of the original, and must not share its cache.
        """
        return standing.database_id if standing.environment == self.profile.environment else None

    def wait(self, seconds: float) -> None:
        """Wait for a database that is still starting.

        Args:
            seconds: how long; 0 means one attempt.

        Raises:
            UnavailableError: it does not answer in time.
        """
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.database.probe()
            except UnavailableError as error:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise
                self.tell.detail(f"waiting: {error.message}")
                time.sleep(min(_WAIT_STEP, left))
            else:
                return

    @cached_property
    def reader(self) -> CustomerReader:
        """Reads the customers of the database one by one."""
        from custctl.customers.reading import CustomerReader

        return CustomerReader(self.database)

    @cached_property
    def store(self) -> CustomerStore:
        """The customers of the database; callers must validate what they write."""
        from custctl.customers.mirror import NO_MIRROR
        from custctl.customers.outbox import NO_QUEUE, Outbox
        from custctl.customers.store import CustomerStore

        queue = NO_QUEUE if self.profile.identity.is_local else Outbox()
        return CustomerStore(self.database, self.profile.environment, self.actor, self.mirror or NO_MIRROR, queue)

    # -- the cache ---------------------------------------------------------------------------------

    @cached_property
    def memory(self) -> Memory:
        """What this machine remembers about the profile's cache."""
        from custctl.cache.opening import open_memory

        return open_memory(self.profile, self.environ)

    @cached_property
    def mirror(self) -> CacheMirror | None:
        """Keeps the cache up to date with writes; None if the profile has no cache."""
        if self.profile.cache is None:
            return None
        from custctl.cache.opening import open_mirror

        return open_mirror(self.profile, self.environ, self.memory, self.tell.warn)

    def open_cache(self) -> Cache | None:
        """Open the cache for a read; return None if the profile has none, or the database's id is not known yet."""
        from custctl.cache.opening import PATIENCE

        database_id = self.memory.database_id if self.profile.cache is not None else None
        return None if database_id is None else self._open_cache(database_id, PATIENCE)

    def inspect_cache(self) -> Cache | None:
        """Open the cache for its own sake; return None if the profile has none, or the database has no id yet.

        It may respond more slowly than a read would wait for. The database is asked for its id if this machine does
        not know it, or cannot remember it.

        Raises:
            UnavailableError: the database's id is needed, and the database does not respond.
        """
        from custctl.cache.opening import LONGER_PATIENCE

        if self.profile.cache is None:
            return None
        database_id = self.memory.database_id or self.database_id()
        if database_id is None:
            return None
        self.memory.learn(database_id)
        return self._open_cache(database_id, LONGER_PATIENCE)

    def _open_cache(self, database_id: str, patience: float) -> Cache:
        from custctl.cache.opening import open_cache

        made = open_cache(self.profile, self.environ, self.memory, database_id, patience=patience)
        self._caches.append(made)
        return made

    def learn_cache(self, standing: Standing) -> Cache | None:
        """Record the database's id; return its cache if another id was assumed, else None."""
        database_id = self._own_id(standing)
        if self.profile.cache is None or database_id is None or database_id == self.memory.database_id:
            return None
        self.memory.learn(database_id)
        return self.open_cache()

    @contextmanager
    def writing_many(self) -> Iterator[None]:
        """Block cached reads of all customers during the block."""
        if self.mirror is None:
            yield
            return
        with self.mirror.many(self.database_id()):
            yield

    # -- the end -----------------------------------------------------------------------------------

    def let_go(self) -> None:
        """Close the connection to the database for now; the next use reconnects."""
        if "database" in self.__dict__:
            self.database.close()

    def close(self) -> None:
        """Close everything that was opened; a failure does not keep the rest open."""
        caches, self._caches = self._caches, []
        with ExitStack() as stack:
            stack.callback(self.let_go)
            mirror = self.__dict__.get("mirror")
            if mirror is not None:
                stack.callback(mirror.close)
            for opened in caches:
                stack.callback(opened.close)
