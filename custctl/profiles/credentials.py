"""Passwords and keys: where they come from, and how they stay hidden.

The search order for each: the file named by its `_FILE` variable, its variable, the system keyring; for the database's
password also where the driver itself looks, such as libpq's `~/.pgpass`. No error raised here contains a secret, and
none has a cause: an exception from a backend or decoder may contain one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, NoReturn

from custctl.profiles.cache_url import parse_url
from custctl.profiles.keyrings import with_keyring
from custctl.profiles.model import Accounts, Auth, Profile
from custctl.support.errors import CredentialError, NoCredentialError, UsageError
from custctl.support.files import read_regular
from custctl.support.text import visible
from custctl.support.urls import url_host

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

_LARGEST = 64 * 1024


class Purpose(StrEnum):
    """What a secret is for."""

    DATABASE = "database"
    CACHE = "cache"
    CACHE_KEY = "cache-key"
    IDENTITY = "identity"


_VARIABLES = {
    Purpose.DATABASE: "CUSTCTL_DB_PASSWORD",
    Purpose.CACHE: "CUSTCTL_CACHE_PASSWORD",
    Purpose.CACHE_KEY: "CUSTCTL_CACHE_KEY",
    Purpose.IDENTITY: "CUSTCTL_IDENTITY_SECRET",
}


class Secret:
    """A password or key that stays hidden in `repr`, formatting, pickling and comparison."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """Return the plain value, only for the driver."""
        return self.__value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    # Secrets are equal only if they are the same object, so `==` cannot be used for guessing.

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret cannot be pickled")


@dataclass(frozen=True, slots=True)
class Credential:
    """The secret of a login, or the key of the cache's entries.

    Attributes:
        secret: the password or key, or None if none is needed or the driver finds it.
        source: `CUSTCTL_DB_PASSWORD_FILE`, `CUSTCTL_DB_PASSWORD` (or the cache's), `keyring`, the place where the
            driver finds it, `none` or `not needed`.
        oddity: what may be unintended in a file's content, or None.
    """

    secret: Secret | None
    source: str
    oddity: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """One place of the search, for `credential check` and `doctor`.

    Attributes:
        source: its name, as in `Credential.source`.
        state: `used`, `shadowed` (found, but an earlier place is used), `absent`, or `failed`.
        problem: why it failed, or what may be unintended in a file's content; or None.
        hint: how to fix the failure, or None.
    """

    source: str
    state: Literal["used", "shadowed", "absent", "failed"]
    problem: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a secret is stored.

    Attributes:
        service: the keyring's service. It includes the host, so that somebody else's profile of the same name does not
            get the secret.
        user: the user name in the keyring.
        noun: `password`, `key` or `secret`.
        owner: the owner of the secret, in words.
        purpose: what the secret is for.
        needed: whether the profile requires one.
        in_keyring: whether the search includes the keyring.
    """

    service: str
    user: str
    noun: str
    owner: str
    purpose: Purpose
    needed: bool = True
    in_keyring: bool = True

    @property
    def variable(self) -> str:
        """The environment variable that contains the secret."""
        return _VARIABLES[self.purpose]

    @property
    def file_variable(self) -> str:
        """The environment variable that names a file with the secret."""
        return f"{self.variable}_FILE"

    @property
    def otherwise(self) -> str:
        """The alternative on a machine without a keyring."""
        return (
            f"on a machine without one, mount the {self.noun} and name the file in `{self.file_variable}`, "
            f"or set `{self.variable}`"
        )


def entry_of(profile: Profile, purpose: Purpose = Purpose.DATABASE) -> Entry:
    """Return where a profile's secret is stored.

    Raises:
        UsageError: the profile has no such secret.
    """
    database, cache = profile.database, profile.cache
    if purpose is Purpose.DATABASE:
        if not database.nodes:
            message = f"profile `{profile.name}` needs no password: {database.engine} has no users"
            raise UsageError(message, hint="its database is a file")
        host, user = database.nodes[0].host, database.user or ""
        owner = visible(f"user `{user}` at `{host}` (profile `{profile.name}`)")
        by_password = database.auth is Auth.PASSWORD
        return Entry(_service(profile, host), user, "password", owner, purpose, in_keyring=by_password)
    if purpose is Purpose.IDENTITY:
        return _identity_entry(profile)
    if cache is None:
        raise UsageError(f"profile `{profile.name}` has no cache", hint="`cache: {url: rediss://…}` names one")
    address = parse_url(cache.url)
    # Database and cache may share a host and a user name.
    service = _service(profile, f"{purpose}:{address.hosts[0][0]}")
    if purpose is Purpose.CACHE_KEY:
        owner = f"the entries of the cache (profile `{profile.name}`)"
        return Entry(service, "cache-key", "key", owner, purpose, needed=cache.encrypt)
    if address.user is None:
        message = f"profile `{profile.name}` needs no password for its cache: `cache.url` names no user"
        raise UsageError(
            message, hint="for example `rediss://custctl@cache.internal`, or `default` where there are none"
        )
    owner = visible(f"user `{address.user}` of the cache at `{address.hosts[0][0]}` (profile `{profile.name}`)")
    return Entry(service, address.user, "password", owner, purpose)


def _identity_entry(profile: Profile) -> Entry:
    identity = profile.identity
    if identity.provider is Accounts.LOCAL:
        message = f"profile `{profile.name}` has no identity provider"
        raise UsageError(message, hint="`identity: {provider: scim, url: https://…}` names one")
    if identity.provider is Accounts.COGNITO:
        message = f"profile `{profile.name}` needs no secret for its identity provider"
        raise UsageError(message, hint="Cognito's credentials are those of AWS: its variables, profiles and roles")
    host = identity.domain or url_host(identity.url or "")
    user = identity.client_id or str(identity.provider)
    owner = visible(f"`{user}` of the identity provider at `{host}` (profile `{profile.name}`)")
    return Entry(_service(profile, f"{Purpose.IDENTITY}:{host}"), user, "secret", owner, Purpose.IDENTITY)


def _service(profile: Profile, host: str) -> str:
    return f"custctl:{profile.name}:{host}"


def find_credential(profile: Profile, environ: Mapping[str, str], purpose: Purpose = Purpose.DATABASE) -> Credential:
    """Return the secret of the profile's login, or the key of its cache's entries.

    A password in the environment is used for every kind of login;
    the keyring is used only if the profile has `auth: password`.

    Args:
        profile: the profile.
        environ: the process environment.
        purpose: what the secret is for.

    Raises:
        NoCredentialError: a secret is needed, and none was found.
        CredentialError: the place with the secret cannot be read.
    """
    try:
        entry = entry_of(profile, purpose)
    except UsageError:
        return Credential(None, "not needed")
    if not entry.needed:
        return Credential(None, "not needed")
    secret = _from_file(environ, entry)
    if secret is not None:
        return Credential(secret, entry.file_variable, _oddity(secret, environ, entry))
    secret = _from_variable(environ, entry)
    if secret is not None:
        return Credential(secret, entry.variable)
    if not entry.in_keyring:
        return Credential(None, "none")
    reason = ""
    try:
        secret = _from_keyring(entry, environ)
    except CredentialError as error:
        reason = f"; {error.message}"
    if secret is not None:
        return Credential(secret, "keyring")
    of_driver = _from_driver(profile, entry)
    if of_driver is not None:
        return Credential(None, of_driver)
    option = f" --for {purpose}" if purpose is not Purpose.DATABASE else ""
    raise NoCredentialError(
        f"no {entry.noun} for {entry.owner}{reason}",
        hint=f"store it with `custctl credential set{option} --env {profile.name}`, or name a file that holds it in "
        f"`{entry.file_variable}`, or set `{entry.variable}`",
        details={"profile": profile.name, "user": entry.user},
    )


def check_credential(profile: Profile, environ: Mapping[str, str], purpose: Purpose = Purpose.DATABASE) -> list[Place]:
    """Return every place of the search with its state; the one in use is marked. Never raises.

    The list is empty if no secret is needed.
    """
    try:
        entry = entry_of(profile, purpose)
    except UsageError:
        return []
    if not entry.needed:
        return []
    searches: list[tuple[str, Callable[[], Secret | None]]] = [
        (entry.file_variable, lambda: _from_file(environ, entry)),
        (entry.variable, lambda: _from_variable(environ, entry)),
    ]
    if entry.in_keyring:
        searches.append(("keyring", lambda: _from_keyring(entry, environ)))
    places: list[Place] = []
    settled = False
    for source, search in searches:
        try:
            secret = search()
        except CredentialError as error:
            places.append(Place(source, "failed", error.message, error.hint))
            # A file that cannot be read ends the search; after a keyring that cannot be read, the driver looks.
            settled = settled or source != "keyring"
            continue
        if secret is None:
            places.append(Place(source, "absent"))
        else:
            oddity = _oddity(secret, environ, entry) if source == entry.file_variable else None
            places.append(Place(source, "shadowed" if settled else "used", oddity))
            settled = True
    of_driver = _from_driver(profile, entry)
    if of_driver is not None:
        places.append(Place(of_driver, "shadowed" if settled else "used"))
    return places


def require_keyring(profile: Profile, environ: Mapping[str, str], purpose: Purpose = Purpose.DATABASE) -> None:
    """Reject a secret that could not be stored.

    Raises:
        UsageError: the profile uses no secret from the keyring.
        CredentialError: the keyring cannot be used.
    """
    entry = _entry_in_keyring(profile, purpose)
    with_keyring(lambda _: None, environ, entry.otherwise)


def store_credential(
    profile: Profile, secret: Secret, environ: Mapping[str, str], purpose: Purpose = Purpose.DATABASE
) -> str:
    """Store a password or key in the keyring and return the keyring's name.

    Raises:
        UsageError: the profile uses no secret from the keyring.
        CredentialError: it is empty, or the keyring cannot be used or did not store it.
    """
    entry = _entry_in_keyring(profile, purpose)
    fit = _fit(secret.reveal(), f"the {entry.noun}")

    def store(backend: KeyringBackend) -> str:
        backend.set_password(entry.service, entry.user, fit.reveal())
        # Some backends silently truncate long passwords.
        if backend.get_password(entry.service, entry.user) != fit.reveal():
            raise CredentialError(f"the keyring did not store the {entry.noun} unchanged")
        return visible(str(backend.name))

    return with_keyring(store, environ, entry.otherwise)


def delete_credential(profile: Profile, environ: Mapping[str, str], purpose: Purpose = Purpose.DATABASE) -> bool:
    """Delete a password or key from the keyring; return whether there was one.

    Raises:
        UsageError: the profile uses no secret from the keyring.
        CredentialError: the keyring cannot be used.
    """
    entry = _entry_in_keyring(profile, purpose)

    def delete(backend: KeyringBackend) -> bool:
        if backend.get_password(entry.service, entry.user) is None:
            return False
        backend.delete_password(entry.service, entry.user)
        return True

    return with_keyring(delete, environ, entry.otherwise)


def _entry_in_keyring(profile: Profile, purpose: Purpose) -> Entry:
    entry = entry_of(profile, purpose)
    if not entry.in_keyring:
        raise UsageError(f"profile `{profile.name}` needs no password: its login is `auth: {profile.database.auth}`")
    return entry


def _fit(value: str, what: str, hint: str | None = None) -> Secret:
    if not value:
        raise CredentialError(f"{what} is empty", hint=hint)
    if "\0" in value:
        raise CredentialError(f"{what} contains a NUL character", hint=hint)
    return Secret(value)


def _from_driver(profile: Profile, entry: Entry) -> str | None:
    if entry.purpose is not Purpose.DATABASE or not entry.in_keyring:
        return None
    from custctl.engines import driver_password

    database = profile.database
    servers = [(node.host, node.port) for node in database.nodes]
    return driver_password(database.engine, servers, database.name or "", database.user)


def _from_variable(environ: Mapping[str, str], entry: Entry) -> Secret | None:
    value = environ.get(entry.variable)
    return None if value is None else _fit(value, f"`{entry.variable}`", f"set it, or `unset {entry.variable}`")


def _from_file(environ: Mapping[str, str], entry: Entry) -> Secret | None:
    variable = entry.file_variable
    name = environ.get(variable)
    if name is None:
        return None
    if not name:
        raise CredentialError(f"`{variable}` is empty", hint=f"name a file, or `unset {variable}`")
    what = f"the file `{visible(name)}`"
    hint = f"`{variable}` names it"
    try:
        raw = read_regular(name, _LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "it is not a path").lower()
        raise CredentialError(f"cannot read {what}: {reason}", hint=hint) from None
    if len(raw) > _LARGEST:
        raise CredentialError(f"{what} is larger than {_LARGEST // 1024} KiB", hint=hint)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise CredentialError(f"{what} is not UTF-8 text", hint=hint) from None
    # Editors and `echo` end the file with one line break; any other belongs to the password.
    text = text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")
    return _fit(text, what, hint)


def _oddity(secret: Secret, environ: Mapping[str, str], entry: Entry) -> str | None:
    """Return what may be unintended in a secret from a file, without quoting the secret."""
    text = secret.reveal()
    faults = []
    if len(text.splitlines()) > 1:
        faults.append("has more than one line")
    if text != text.strip():
        faults.append("begins or ends with a space or an empty line")
    name = visible(environ.get(entry.file_variable, ""))
    return f"the file `{name}` {' and '.join(faults)}; the {entry.noun} includes that" if faults else None


def _from_keyring(entry: Entry, environ: Mapping[str, str]) -> Secret | None:
    def get(backend: KeyringBackend) -> str | None:
        return backend.get_password(entry.service, entry.user)

    held = with_keyring(get, environ, entry.otherwise)
    return Secret(held) if held else None
