"""The content of a profile: an environment, its database, and the seed data that it allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from custctl.support.units import format_duration

PATRONI_PORT = 8008
"""The default port of Patroni's REST API."""


class Environment(StrEnum):
    """The kind of environment. The same word is the database's stamp."""

    DEVELOPMENT = "development"
    TEST = "test"
    STAGING = "staging"
    PRODUCTION = "production"

    @property
    def is_protected(self) -> bool:
        """True for environments with real customers or copies of them, where risky actions are refused."""
        return self in (Environment.STAGING, Environment.PRODUCTION)


class Auth(StrEnum):
    """How the login is authenticated."""

    PASSWORD = "password"  # noqa: S105 - the name of a method
    INTEGRATED = "integrated"
    ENTRA = "entra"
    CERTIFICATE = "certificate"
    OAUTH = "oauth"
    RDS_IAM = "rds-iam"


class Tls(StrEnum):
    """How the connection is encrypted, strictest first."""

    VERIFY_FULL = "verify-full"
    STRICT = "strict"
    REQUIRE = "require"
    OFF = "off"


class Driver(StrEnum):
    """What manages the replicas."""

    NONE = "none"
    STREAMING = "streaming"
    PATRONI = "patroni"
    AVAILABILITY_GROUP = "availability-group"


class Reads(StrEnum):
    """Where reads that may lag slightly go."""

    REPLICA = "replica"
    PRIMARY = "primary"


class Node(NamedTuple):
    """One server. Its role is discovered, not declared.

    Attributes:
        name: its name in the profile.
        host: its name or address, or the folder of its socket.
        port: where the database listens.
        api_port: where Patroni's REST API listens; meaningless without Patroni.
    """

    name: str
    host: str
    port: int
    api_port: int = PATRONI_PORT

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Replication(NamedTuple):
    """How the nodes replicate.

    Attributes:
        driver: what manages the replicas.
        group: the availability group or Patroni scope, if any.
        max_lag: maximum lag in seconds of a replica that serves reads.
        experimental: whether a driver that has never run on a real group may change one.
    """

    driver: Driver = Driver.NONE
    group: str | None = None
    max_lag: float = 5.0
    experimental: bool = False


class Database(NamedTuple):
    """The database of a profile.

    Attributes:
        engine: the engine's name in `engines.ENGINES`.
        path: the file, absolute, links followed; None for servers.
        name: the database on a server; None for a file.
        schema: the schema of custctl's tables; None for a file.
        user: the database user; None if the login needs none.
        auth: how the login is authenticated; meaningless for a file.
        nodes: the servers, at least one; empty for a file.
        tls: how connections are encrypted; meaningless for a file.
        tls_ca: the file of certificates to trust instead of the system's.
        connect_timeout: seconds, above zero.
        statement_timeout: seconds; zero means no limit.
        replication: how the nodes replicate.
        hooks: commands by name, each a list of arguments, run without a shell.
        reads: where reads that may lag slightly go.
    """

    engine: str
    path: Path | None = None
    name: str | None = None
    schema: str | None = None
    user: str | None = None
    auth: Auth = Auth.INTEGRATED
    nodes: tuple[Node, ...] = ()
    tls: Tls = Tls.OFF
    tls_ca: Path | None = None
    connect_timeout: float = 5.0
    statement_timeout: float = 30.0
    replication: Replication = Replication()
    hooks: Mapping[str, list[str]] = {}
    reads: Reads = Reads.PRIMARY


class Cache(NamedTuple):
    """The cache of frequently read customers.

    Attributes:
        url: see `custctl.profiles.cache_url`; never with a password.
        ttl: seconds for which an entry counts as current.
        tls_ca: the file of certificates to trust instead of the system's.
        encrypt: whether entries are encrypted, with a key from the keyring or the environment.
    """

    url: str
    ttl: float = 600.0
    tls_ca: Path | None = None
    encrypt: bool = False


class Accounts(StrEnum):
    """Where customers' accounts and passwords are."""

    LOCAL = "local"
    COGNITO = "cognito"
    AUTH0 = "auth0"
    SCIM = "scim"


class OnDelete(StrEnum):
    """What happens to the account of a deleted customer."""

    DELETE = "delete"
    DISABLE = "disable"


class Identity(NamedTuple):
    """The provider of customers' accounts. Settings of other providers are None.

    Attributes:
        provider: the kind of provider; `local` is the database's own table of passwords.
        url: SCIM's base URL; https, or this machine.
        pool: Cognito's user pool.
        region: Cognito's region; by default that of the pool's id.
        endpoint: another URL for Cognito or Auth0's Management API; https, or this machine.
        domain: Auth0's tenant.
        connection: Auth0's database connection.
        client_id: the client that the secret belongs to, if the provider needs one.
        on_delete: what happens to the account of a deleted customer.
        timeout: seconds for one request to the provider.
        tls_ca: the file of certificates to trust instead of the system's.
    """

    provider: Accounts = Accounts.LOCAL
    url: str | None = None
    pool: str | None = None
    region: str | None = None
    endpoint: str | None = None
    domain: str | None = None
    connection: str | None = None
    client_id: str | None = None
    on_delete: OnDelete = OnDelete.DELETE
    timeout: float = 10.0
    tls_ca: Path | None = None

    @property
    def is_local(self) -> bool:
        """Whether passwords are in this database and there are no accounts elsewhere."""
        return self.provider is Accounts.LOCAL


class Login(NamedTuple):
    """How operators log in.

    Attributes:
        issuer: the identity provider's URL, exactly as its tokens name it.
        client_id: custctl's own client id there.
        scopes: the requested scopes; always including `openid`.
        claim: the claim with a person's groups or roles; a path such as `realm_access.roles` if no claim has that name.
        roles: the claim's values that give a role, by the role's name.
    """

    issuer: str
    client_id: str
    scopes: tuple[str, ...]
    claim: str
    roles: Mapping[str, tuple[str, ...]]

    @property
    def is_for_sql_server(self) -> bool:
        """Whether the access token is for Azure SQL and SQL Server, judging by Entra's scope for them."""
        return any("database.windows.net" in scope for scope in self.scopes)


class Setting(NamedTuple):
    """One value of a profile as `profile show` prints it.

    Attributes:
        key: dotted, as in `database.nodes.0.host`.
        value: text, a number, or a list of texts; durations as `5s`.
        origin: where it came from: `profiles/prod.yaml:7`, `${DB_HOST} in profiles/prod.yaml:9` or `default`.
    """

    key: str
    value: str | int | list[str]
    origin: str


class Profile(NamedTuple):
    """A validated profile.

    Attributes:
        name: the file's name without `.yaml`; what `--env` takes.
        environment: the kind of environment.
        database: the database.
        cache: the cache, or None.
        identity: where customers' accounts are.
        login: how operators log in, or None if nobody has to.
        seed: the seed sets allowed in this environment.
        source: the file, absolute.
        bundled: True for a file from the package that was found as a fallback.
        origins: where each value came from, by dotted key.
    """

    name: str
    environment: Environment
    database: Database
    cache: Cache | None
    seed: tuple[str, ...]
    source: Path
    bundled: bool
    origins: Mapping[str, str]
    identity: Identity = Identity()
    login: Login | None = None

    @property
    def is_protected(self) -> bool:
        """True in staging and production."""
        return self.environment.is_protected

    @property
    def shows_access_token(self) -> bool:
        """True if the database receives the operator's access token and checks it itself."""
        auth, login = self.database.auth, self.login
        return login is not None and (auth is Auth.OAUTH or (auth is Auth.ENTRA and login.is_for_sql_server))

    @property
    def location(self) -> str:
        """The database in words, for messages: `sqlite /srv/customers.db`, `mssql customers at sql1:1433`."""
        database = self.database
        if database.path is not None:
            return f"{database.engine} {database.path}"
        return f"{database.engine} {database.name} at {', '.join(map(str, database.nodes))}"

    def settings(self) -> Iterator[Setting]:
        """Yield every value that is set, with its origin, in the order of the reference documentation."""
        for key, value in self._values():
            if value is not None:
                yield Setting(key, value, self.origins.get(key, "default"))

    def _values(self) -> Iterator[tuple[str, str | int | list[str] | None]]:
        database = self.database
        yield "environment", str(self.environment)
        yield "database.engine", str(database.engine)
        if database.path is not None:
            yield "database.path", str(database.path)
        else:
            yield "database.name", database.name
            yield "database.schema", database.schema
            yield "database.user", database.user
            yield "database.auth", str(database.auth)
            for index, node in enumerate(database.nodes):
                yield f"database.nodes.{index}.name", node.name
                yield f"database.nodes.{index}.host", node.host
                yield f"database.nodes.{index}.port", node.port
                if database.replication.driver is Driver.PATRONI:
                    yield f"database.nodes.{index}.api_port", node.api_port
            yield "database.tls", str(database.tls)
            yield "database.tls_ca", str(database.tls_ca) if database.tls_ca else None
        yield "database.connect_timeout", format_duration(database.connect_timeout)
        yield "database.statement_timeout", format_duration(database.statement_timeout)
        if database.path is None:
            yield "database.replication.driver", str(database.replication.driver)
            yield "database.replication.group", database.replication.group
            yield "database.replication.max_lag", format_duration(database.replication.max_lag)
            if database.replication.driver is Driver.AVAILABILITY_GROUP:
                yield "database.replication.experimental", "true" if database.replication.experimental else "false"
            for name, command in database.hooks.items():
                yield f"database.hooks.{name}", list(command)
            yield "database.reads", str(database.reads)
        if self.cache is not None:
            yield "cache.url", self.cache.url
            yield "cache.ttl", format_duration(self.cache.ttl)
            yield "cache.tls_ca", str(self.cache.tls_ca) if self.cache.tls_ca else None
            yield "cache.encrypt", "true" if self.cache.encrypt else "false"
        identity = self.identity
        if not identity.is_local:
            yield "identity.provider", str(identity.provider)
            for name in ("url", "pool", "region", "endpoint", "domain", "connection", "client_id"):
                yield f"identity.{name}", getattr(identity, name)
            yield "identity.on_delete", str(identity.on_delete)
            yield "identity.timeout", format_duration(identity.timeout)
            yield "identity.tls_ca", str(identity.tls_ca) if identity.tls_ca else None
        if self.login is not None:
            yield "login.issuer", self.login.issuer
            yield "login.client_id", self.login.client_id
            yield "login.scopes", list(self.login.scopes)
            yield "login.claim", self.login.claim
            for role, words in self.login.roles.items():
                yield f"login.roles.{role}", list(words)
        yield "seed", list(self.seed)
