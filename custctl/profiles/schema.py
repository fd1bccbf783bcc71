"""What a profile may contain: turns the tree of its file into a `Profile`, or a list of its problems."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from custctl.engines import ENGINES, Engine
from custctl.profiles.cache_url import has_password, parse_url
from custctl.profiles.document import Fields, Problem, Scalar, quote, read_document, secret_problem
from custctl.profiles.hosts import host_fault, same_host
from custctl.profiles.logins import read_login
from custctl.profiles.model import (
    PATRONI_PORT,
    Accounts,
    Auth,
    Cache,
    Database,
    Driver,
    Environment,
    Identity,
    Login,
    Node,
    OnDelete,
    Profile,
    Reads,
    Replication,
    Tls,
)
from custctl.profiles.values import Values
from custctl.support.children import names_secret
from custctl.support.urls import is_safe_url

_TOP_KEYS = ("environment", "database", "cache", "identity", "login", "seed")
_COMMON_KEYS = ("engine", "connect_timeout", "statement_timeout")
_SERVER_KEYS = ("name", "schema", "user", "auth", "nodes", "tls", "tls_ca", "replication", "hooks", "reads")
_DATABASE_KEYS = ("engine", "path", *_SERVER_KEYS, *_COMMON_KEYS[1:])

_ACCOUNT_KEYS = ("provider", "on_delete", "timeout", "tls_ca")
# The keys of each provider: the required ones, then the optional ones.
_PROVIDER_KEYS: dict[Accounts, tuple[tuple[str, ...], tuple[str, ...]]] = {
    Accounts.LOCAL: ((), ()),
    Accounts.COGNITO: (("pool",), ("region", "endpoint")),
    Accounts.AUTH0: (("domain", "connection", "client_id"), ("endpoint",)),
    Accounts.SCIM: (("url",), ()),
}
_ALL_PROVIDER_KEYS = tuple(dict.fromkeys(key for keys in _PROVIDER_KEYS.values() for key in (*keys[0], *keys[1])))
_POOL = r"[a-z]{2}(?:-[a-z]+)+-[0-9]+_[A-Za-z0-9]{1,55}"
_REGION = r"[a-z]{2}(?:-[a-z]+)+-[0-9]+"
_DOMAIN = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"

_PLAIN_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
_NODE_NAME = r"[A-Za-z0-9][A-Za-z0-9._:-]{0,252}"
# The hooks, and the placeholders that their arguments may contain.
_NODE = ("node", "host", "port")
_HOOKS = {"fence": _NODE, "unfence": _NODE, "rejoin": (*_NODE, "primary", "primary_host", "primary_port")}
# Not `{{name}}`, which other programs use.
_PLACEHOLDER = r"(?<!\{)\{(\w+)\}(?!\})"


Named = StrEnum("Named", {name.upper(): name for name in ENGINES})  # type: ignore[misc]
"""An engine, as a profile names it."""


class Switch(StrEnum):
    """Yes or no, as YAML writes it."""

    TRUE = "true"
    FALSE = "false"


class Reading(NamedTuple):
    """The result of reading a file.

    Attributes:
        profile: the profile; None if there are problems.
        environment: its environment, if it could be read.
        problems: all problems, by line.
        refusal: what the environment forbids about an otherwise valid file, or None.
    """

    profile: Profile | None
    environment: Environment | None
    problems: tuple[Problem, ...] = ()
    refusal: Problem | None = None


def read_profile(
    name: str, source: Path, base: Path, environ: Mapping[str, str], *, bundled: bool, label: str
) -> Reading:
    """Read and validate a profile's file.

    Args:
        name: the profile's name.
        source: its file, absolute.
        base: the folder that relative paths in it start from.
        environ: where `${NAME}` is looked up.
        bundled: whether the file is part of the package.
        label: the file's name for people, for the origins.
    """
    problems: list[Problem] = []
    tree = read_document(source, environ, problems)
    if tree is None:
        return Reading(None, None, tuple(problems))
    reader = _Schema(tree, base, label, problems, _home(environ))
    environment, database, cache, identity, login, seed = reader.profile()
    if problems or environment is None or database is None:
        return Reading(None, environment, tuple(sorted(problems, key=lambda problem: problem.line)))
    profile = Profile(name, environment, database, cache, seed, source, bundled, reader.origins, identity, login)
    refusal = None
    if environment is Environment.PRODUCTION and not ENGINES[database.engine].is_file and database.tls is Tls.OFF:
        hint = "use `verify-full`, which is the default, with `tls_ca` for a certificate authority of your own"
        refusal = Problem(reader.lines["database.tls"], "`tls: off` is refused in production", hint)
    elif environment.is_protected and cache is not None and not parse_url(cache.url).is_protected:
        hint = "use `rediss://` or `valkeys://`, with `tls_ca` for a certificate authority of your own"
        refusal = Problem(reader.lines["cache.url"], f"a cache without TLS is refused in {environment}", hint)
    return Reading(profile, environment, refusal=refusal)


def _home(environ: Mapping[str, str]) -> str | None:
    home = environ.get("HOME") or os.path.expanduser("~")
    return home if os.path.isabs(home) else None


class _Schema(Values):
    """The sections of a profile."""

    def __init__(self, tree: Fields, base: Path, label: str, problems: list[Problem], home: str | None) -> None:
        super().__init__(label, problems, home)
        self._tree = tree
        self._base = base

    def profile(
        self,
    ) -> tuple[Environment | None, Database | None, Cache | None, Identity, Login | None, tuple[str, ...]]:
        """Return what could be read; it becomes a profile only if there are no problems."""
        top = self._tree
        self.known(top, "", _TOP_KEYS)
        environment = self.choice(top, "environment", Environment, None)
        section = self.section(top, "database", required=True)
        database = self._database(section, environment) if section else None
        section = self.section(top, "cache")
        cache = self._cache(section) if section else None
        section = self.section(top, "identity")
        identity = self._identity(section) if section else Identity()
        section = self.section(top, "login")
        login = read_login(self, section) if section else None
        if database is not None and database.auth is Auth.OAUTH and "login" not in top.nodes:
            self.note(top.line, "`login` is missing: `auth: oauth` needs it")
        return environment, database, cache, identity, login, self._seed(top)

    def _database(self, fields: Fields, environment: Environment | None) -> Database | None:
        engine = self.choice(fields, "database.engine", Named, None)
        if engine is None:
            self.known(fields, "database", _DATABASE_KEYS)
            return None
        traits = ENGINES[engine]
        keys = (*_COMMON_KEYS, "path") if traits.is_file else (*_COMMON_KEYS, *_SERVER_KEYS)
        self.known(fields, "database", keys, foreign=_DATABASE_KEYS, engine=engine)
        connect_timeout = self.duration(fields, "database.connect_timeout", 5.0, zero=False)
        statement_timeout = self.duration(fields, "database.statement_timeout", 30.0)
        if traits.is_file:
            path = self._file_path(fields)
            return Database(
                engine=engine, path=path, connect_timeout=connect_timeout, statement_timeout=statement_timeout
            )
        user = self.text(fields, "database.user", None)
        # A named user logs in with a password; without a user, the login is that of the operating system.
        auth = self.choice(fields, "database.auth", Auth, Auth.PASSWORD if user is not None else Auth.INTEGRATED)
        if auth is Auth.PASSWORD and user is None and "user" not in fields.nodes:
            self.note(fields.line, "`database.user` is missing: `auth: password` needs it")
        if auth is Auth.RDS_IAM and user is None and "user" not in fields.nodes:
            self.note(fields.line, "`database.user` is missing: `auth: rds-iam` needs it")
        if auth is not None and auth not in traits.logins:
            known = ", ".join(f"`{each}`" for each in traits.logins)
            self.note(self.lines["database.auth"], f"{engine} does not support `auth: {auth}`", f"one of {known}")
        protected = environment is not None and environment.is_protected
        tls = self.choice(fields, "database.tls", Tls, Tls.VERIFY_FULL if protected else Tls(traits.tls))
        tls_ca = self.path(fields, "database.tls_ca")
        nodes = self._nodes(fields, traits)
        return Database(
            engine=engine,
            name=self.text(fields, "database.name", "customers"),
            schema=self.text(fields, "database.schema", traits.schema),
            user=user,
            auth=auth or Auth.PASSWORD,
            nodes=nodes,
            tls=tls or Tls.VERIFY_FULL,
            tls_ca=self._base / tls_ca if tls_ca else None,
            connect_timeout=connect_timeout,
            statement_timeout=statement_timeout,
            replication=self._replication(fields, engine, traits, nodes),
            hooks=self._hooks(fields),
            reads=self.choice(fields, "database.reads", Reads, Reads.PRIMARY) or Reads.PRIMARY,
        )

    def _file_path(self, fields: Fields) -> Path | None:
        text = self.path(fields, "database.path", required=True)
        if text is None:
            return None
        if text.lower() == ":memory:" or text.lower().startswith("file:") or "://" in text:
            self.note(self.lines["database.path"], f"`database.path` must be a file's path, not {quote(text)}")
            return None
        if os.path.basename(text) in ("", ".", ".."):
            self.note(
                self.lines["database.path"], f"`database.path` must be a file's path, but {quote(text)} is a folder's"
            )
            return None
        # Follow links: a process that opens the file under another name must find the same lock next to it.
        return Path(os.path.realpath(self._base / text))

    def _nodes(self, fields: Fields, traits: Engine) -> tuple[Node, ...]:
        items = self.items(fields, "database.nodes", required=True)
        nodes: list[Node] = []
        for index, item in enumerate(items):
            key = f"database.nodes.{index}"
            if not isinstance(item, Fields):
                self.note(item.line, f"`{key}` must be a mapping such as `{{name: a, host: a.internal}}`")
                continue
            self.known(item, key, ("name", "host", "port", "api_port"))
            host = self.text(item, f"{key}.host", None, required=True)
            fault = host_fault(host, sockets=traits.sockets) if host is not None else None
            if fault is not None:
                self.note(self.lines[f"{key}.host"], f"`{key}.host` is not a host name or address{fault}")
                host = None
            name = self.text(item, f"{key}.name", host)
            if name is not None and not re.fullmatch(_NODE_NAME, name):
                what = (
                    "is not a plain name"
                    if "name" in item.nodes
                    else "is missing, and the host cannot be used as the name"
                )
                self.note(self.lines[f"{key}.name"], f"`{key}.name` {what}", "letters, digits, `.`, `_`, `-`")
            elif name is not None and any(node.name.lower() == name.lower() for node in nodes):
                self.note(self.lines[f"{key}.name"], f"`{key}.name` is also the name of another node")
            number = self.integer(item, f"{key}.port", traits.port, 1, 65535)
            api_port = self.integer(item, f"{key}.api_port", PATRONI_PORT, 1, 65535)
            node = Node(name or "", host or "", number, api_port)
            nodes.append(node)
        self._each_at_its_own_place(nodes, "port", "the database")
        return tuple(nodes)

    def _each_at_its_own_place(self, nodes: Sequence[Node], port: str, what: str) -> None:
        """Record nodes that have the same host and port as another node: they could not be distinguished."""
        for index, node in enumerate(nodes):
            for other in nodes[:index]:
                if node.host and same_host(node.host, other.host) and getattr(node, port) == getattr(other, port):
                    key = f"database.nodes.{index}"
                    message = f"`{key}` has {what} at the same host and port as the node `{other.name}`"
                    hint = f"correct `host` or `{port}`, or remove one of the two"
                    self.note(self.lines[f"{key}.host"], message, hint)
                    break

    def _replication(self, fields: Fields, engine: str, traits: Engine, nodes: tuple[Node, ...]) -> Replication:
        section = self.section(fields, "database.replication")
        prefix = "database.replication"
        if section is None:
            for key in ("driver", "max_lag"):
                self.origins[f"{prefix}.{key}"] = "default"
            return Replication()
        self.known(section, prefix, ("driver", "group", "max_lag", "experimental"))
        driver = self.choice(section, f"{prefix}.driver", Driver, Driver.NONE) or Driver.NONE
        if driver not in traits.drivers:
            known = ", ".join(f"`{each}`" for each in traits.drivers)
            self.note(self.lines[f"{prefix}.driver"], f"`{driver}` does not replicate {engine}", f"one of {known}")
        if driver is Driver.PATRONI:
            self._each_at_its_own_place(nodes, "api_port", "Patroni")
        group = self.text(section, f"{prefix}.group", None)
        if driver is Driver.AVAILABILITY_GROUP and driver in traits.drivers and "group" not in section.nodes:
            self.note(section.line, f"`{prefix}.group` is missing: `driver: {driver}` needs it")
        if driver in (Driver.NONE, Driver.STREAMING) and group is not None:
            self.note(self.lines[f"{prefix}.group"], f"`{prefix}.group` does not apply to `driver: {driver}`")
        experimental = self.choice(section, f"{prefix}.experimental", Switch, Switch.FALSE)
        if experimental is Switch.TRUE and driver is not Driver.AVAILABILITY_GROUP:
            message = f"`experimental` does not apply to `driver: {driver}`"
            self.note(self.lines[f"{prefix}.experimental"], message, "remove it")
        max_lag = self.duration(section, f"{prefix}.max_lag", 5.0, zero=False)
        return Replication(driver, group, max_lag, experimental is Switch.TRUE)

    def _hooks(self, fields: Fields) -> dict[str, list[str]]:
        section = self.section(fields, "database.hooks")
        hooks: dict[str, list[str]] = {}
        if section is None:
            return hooks
        for name, (line, _) in section.nodes.items():
            if not re.fullmatch(_PLAIN_NAME, name):
                self.note(line, f"{quote(name)} is not a plain name for a hook")
                return hooks
        self.known(section, "database.hooks", tuple(_HOOKS))
        for name in section.nodes.keys() & _HOOKS.keys():
            key = f"database.hooks.{name}"
            items = self.items(section, key, required=True)
            words = self.words(items, key)
            for item, word in zip(items, words, strict=True):
                # `--password X`; the form with an equals sign was already found.
                if word.startswith("-") and names_secret(word.lstrip("-")):
                    self.problems.append(secret_problem(item.line, f"an argument of `{key}` passes one"))
                for unknown in re.findall(_PLACEHOLDER, word):
                    if unknown not in _HOOKS[name]:
                        known = ", ".join(f"`{{{each}}}`" for each in _HOOKS[name])
                        self.note(
                            item.line, f"unknown placeholder `{{{unknown}}}` in `{key}`", f"known placeholders: {known}"
                        )
            if words and words[0] and isinstance(program := items[0], Scalar):
                # It runs without a shell, which would expand the home folder.
                words[0] = self.at_home(program, key) or ""
            hooks[name] = words
        return hooks

    def _cache(self, fields: Fields) -> Cache | None:
        self.known(fields, "cache", ("url", "ttl", "tls_ca", "encrypt"))
        url = self.text(fields, "cache.url", None, required=True)
        ttl = self.duration(fields, "cache.ttl", 600.0, zero=False)
        tls_ca = self.path(fields, "cache.tls_ca")
        encrypt = self.choice(fields, "cache.encrypt", Switch, Switch.FALSE)
        if url is None:
            return None
        line = self.lines["cache.url"]
        if has_password(url):
            self.problems.append(secret_problem(line, "`cache.url` contains one"))
            return None
        try:
            parse_url(url)
        except ValueError as error:
            message = f"`cache.url` is not the URL of a Redis or Valkey server: {error}"
            self.note(line, message, "for example `rediss://cache.internal:6380/0`")
            return None
        return Cache(url, ttl, self._base / tls_ca if tls_ca else None, encrypt is Switch.TRUE)

    def _identity(self, fields: Fields) -> Identity:
        provider = self.choice(fields, "identity.provider", Accounts, None)
        if provider is None:
            self.known(fields, "identity", (*_ACCOUNT_KEYS, *_ALL_PROVIDER_KEYS))
            return Identity()
        if provider is Accounts.LOCAL:
            # Without accounts there is nothing to delete or wait for.
            self.known(fields, "identity", ("provider",), foreign=(*_ACCOUNT_KEYS, *_ALL_PROVIDER_KEYS), engine="local")
            return Identity()
        needed, others = _PROVIDER_KEYS[provider]
        keys = (*_ACCOUNT_KEYS, *needed, *others)
        self.known(fields, "identity", keys, foreign=_ALL_PROVIDER_KEYS, engine=provider)
        values = {key: self.text(fields, f"identity.{key}", None, required=key in needed) for key in (*needed, *others)}
        for key in ("url", "endpoint"):
            url = values.get(key)
            if url is not None and not is_safe_url(url):
                hint = "for example `https://identity.internal/scim/v2`; plain `http` only to this machine"
                self.note(self.lines[f"identity.{key}"], f"`identity.{key}` is not an `https` URL", hint)
        for key, form, example in (
            ("pool", _POOL, "eu-west-1_AbCdEfGhI"),
            ("region", _REGION, "eu-west-1"),
            ("domain", _DOMAIN, "example.eu.auth0.com"),
        ):
            value = values.get(key)
            if value is not None and not re.fullmatch(form, value):
                self.note(self.lines[f"identity.{key}"], f"`identity.{key}` is not a {key}", f"for example `{example}`")
        pool = values.get("pool")
        if pool is not None and values.get("region") is None:
            values["region"] = pool.partition("_")[0]
        tls_ca = self.path(fields, "identity.tls_ca")
        return Identity(
            provider=provider,
            **values,
            on_delete=self.choice(fields, "identity.on_delete", OnDelete, OnDelete.DELETE) or OnDelete.DELETE,
            timeout=self.duration(fields, "identity.timeout", 10.0, zero=False),
            tls_ca=self._base / tls_ca if tls_ca else None,
        )

    def _seed(self, top: Fields) -> tuple[str, ...]:
        items = self.items(top, "seed")
        names = self.words(items, "seed")
        for index, (item, name) in enumerate(zip(items, names, strict=True)):
            if name and not re.fullmatch(_PLAIN_NAME, name):
                self.note(item.line, "the name of a seed set may have only letters, digits, `_` and `-`")
            if name and name in names[:index]:
                self.note(item.line, "`seed` names a set twice")
        return tuple(names)
