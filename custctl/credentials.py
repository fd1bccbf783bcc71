"""The database password: where it is looked for, and how it is kept from being seen.

Looked for in this order: the file that `CUSTCTL_DB_PASSWORD_FILE` names,
`CUSTCTL_DB_PASSWORD`, the system keyring, and where the driver looks by itself, as
libpq does in `~/.pgpass`. No error raised here holds a password,
and none has a cause: an exception of a backend or a decoder may carry one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn

from custctl.errors import CredentialError, NoCredentialError, UsageError
from custctl.keyrings import with_keyring
from custctl.profiles.model import Auth, Profile
from custctl.text import visible

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

FILE_VARIABLE = "CUSTCTL_DB_PASSWORD_FILE"
VARIABLE = "CUSTCTL_DB_PASSWORD"
_LARGEST = 64 * 1024


class Secret:
    """A password that does not show itself: not in a `repr`, a format, a pickle or a comparison."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """Return the password itself, for the driver alone."""
        return self.__value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    # Two secrets are equal only where they are one object: `==` cannot be used for guessing.

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret cannot be pickled")


@dataclass(frozen=True, slots=True)
class Credential:
    """What a login is proved with.

    Attributes:
        secret: the password, or None where the login needs none, or the driver finds it.
        source: `CUSTCTL_DB_PASSWORD_FILE`, `CUSTCTL_DB_PASSWORD`, `keyring`, where the driver finds it, `none` or
            `not needed`.
    """

    secret: Secret | None
    source: str


@dataclass(frozen=True, slots=True)
class Place:
    """One place of the search, for `credential check` and `doctor`.

    Attributes:
        source: its name, as in `Credential.source`.
        state: `used`, `shadowed` (found, but an earlier place is used), `absent`, or `failed`.
        problem: why it failed, or None.
        hint: the way out of the failure, or None.
    """

    source: str
    state: Literal["used", "shadowed", "absent", "failed"]
    problem: str | None = None
    hint: str | None = None


def service_name(profile: Profile) -> str:
    """Return the keyring's service. The host is part of it: a foreign profile of the same name gets no password.

    Raises:
        UsageError: the profile's database has no login.
    """
    if not profile.database.nodes:
        raise UsageError(f"the profile `{profile.name}` needs no password", hint="its database is a file")
    return f"custctl:{profile.name}:{profile.database.nodes[0].host}"


def find_credential(profile: Profile, environ: Mapping[str, str]) -> Credential:
    """Return what the profile's login is proved with.

    A password that is handed over in the environment is taken for every kind of login;
    the keyring is asked only where the profile has `auth: password`.

    Args:
        profile: the profile.
        environ: the process environment.

    Raises:
        NoCredentialError: the profile's login is by password, and there is none.
        CredentialError: the place that has it cannot be read.
    """
    if not profile.database.nodes:
        return Credential(None, "not needed")
    secret = _from_file(environ)
    if secret is not None:
        return Credential(secret, FILE_VARIABLE)
    secret = _from_variable(environ)
    if secret is not None:
        return Credential(secret, VARIABLE)
    if profile.database.auth is not Auth.PASSWORD:
        return Credential(None, "none")
    reason = ""
    try:
        secret = _from_keyring(profile, environ)
    except CredentialError as error:
        reason = f"; {error.message}"
    if secret is not None:
        return Credential(secret, "keyring")
    of_driver = _from_driver(profile)
    if of_driver is not None:
        return Credential(None, of_driver)
    raise NoCredentialError(
        f"no password for {_login(profile)}{reason}",
        hint=f"store it with `custctl credential set --env {profile.name}`, or name a file that holds it in "
        f"`{FILE_VARIABLE}`, or set `{VARIABLE}`",
        details={"profile": profile.name, "user": profile.database.user},
    )


def check_credential(profile: Profile, environ: Mapping[str, str]) -> list[Place]:
    """Return every place of the search with what is there, the one that is used marked. Never raises.

    The list is empty for an engine that knows no passwords.
    """
    if not profile.database.nodes:
        return []
    searches: list[tuple[str, Callable[[], Secret | None]]] = [
        (FILE_VARIABLE, lambda: _from_file(environ)),
        (VARIABLE, lambda: _from_variable(environ)),
    ]
    if profile.database.auth is Auth.PASSWORD:
        searches.append(("keyring", lambda: _from_keyring(profile, environ)))
    places: list[Place] = []
    settled = False
    for source, search in searches:
        try:
            found = search() is not None
        except CredentialError as error:
            places.append(Place(source, "failed", error.message, error.hint))
            # A password file that cannot be read ends the search; after a keyring that cannot, the driver looks.
            settled = settled or source != "keyring"
            continue
        if not found:
            places.append(Place(source, "absent"))
        else:
            places.append(Place(source, "shadowed" if settled else "used"))
            settled = True
    of_driver = _from_driver(profile) if profile.database.auth is Auth.PASSWORD else None
    if of_driver is not None:
        places.append(Place(of_driver, "shadowed" if settled else "used"))
    return places


def store_credential(profile: Profile, secret: Secret, environ: Mapping[str, str]) -> str:
    """Put the password into the keyring and return the keyring's name.

    Raises:
        UsageError: the profile's login takes no password from the keyring.
        CredentialError: the password is empty, or the keyring cannot be used or did not keep it.
    """
    service, user = _entry(profile)
    password = _fit(secret.reveal(), "the password")

    def store(backend: KeyringBackend) -> str:
        backend.set_password(service, user, password.reveal())
        # Some backends cut long passwords off without a word.
        if backend.get_password(service, user) != password.reveal():
            raise CredentialError("the keyring did not keep the password as it is")
        return visible(str(backend.name))

    return with_keyring(store, environ)


def delete_credential(profile: Profile, environ: Mapping[str, str]) -> bool:
    """Take the password out of the keyring; return whether there was one.

    Raises:
        UsageError: the profile's login takes no password from the keyring.
        CredentialError: the keyring cannot be used.
    """
    service, user = _entry(profile)

    def delete(backend: KeyringBackend) -> bool:
        if backend.get_password(service, user) is None:
            return False
        backend.delete_password(service, user)
        return True

    return with_keyring(delete, environ)


# -- the cache's ------------------------------------------------------------------------------------

CACHE_VARIABLE, CACHE_FILE_VARIABLE = "CUSTCTL_CACHE_PASSWORD", "CUSTCTL_CACHE_PASSWORD_FILE"
KEY_VARIABLE, KEY_FILE_VARIABLE = "CUSTCTL_CACHE_KEY", "CUSTCTL_CACHE_KEY_FILE"
_KEY_USER = "cache-key"


def find_cache_password(profile: Profile, environ: Mapping[str, str]) -> Secret:
    """Return the password of the cache's user, looked for where the database's is, under the cache's own names.

    Raises:
        CredentialError: there is none.
    """
    service, user = _cache_entry(profile)
    what = f"password for user `{visible(user or 'default')}` of the cache"
    return _find_cache_secret(service, user or "default", (CACHE_FILE_VARIABLE, CACHE_VARIABLE), what, environ)


def find_cache_key(profile: Profile, environ: Mapping[str, str]) -> Secret:
    """Return the key that the cache's entries are encrypted with.

    Raises:
        CredentialError: there is none.
    """
    service, _ = _cache_entry(profile)
    return _find_cache_secret(service, _KEY_USER, (KEY_FILE_VARIABLE, KEY_VARIABLE), "key for the cache", environ)


def _cache_entry(profile: Profile) -> tuple[str, str | None]:
    from custctl.profiles.cache_url import parse_url

    if profile.cache is None:
        raise UsageError(f"profile `{profile.name}` has no cache")
    address = parse_url(profile.cache.url)
    return f"custctl:{profile.name}:{address.hosts[0][0]}", address.user


def _find_cache_secret(
    service: str, user: str, variables: tuple[str, str], what: str, environ: Mapping[str, str]
) -> Secret:
    file_variable, variable = variables
    found = _from_file(environ, file_variable) or _from_variable(environ, variable)
    reason = ""
    if found is None:
        try:
            held = with_keyring(lambda backend: backend.get_password(service, user), environ)
        except CredentialError as error:
            held, reason = None, f"; {error.message}"
        found = Secret(held) if held else None
    if found is None:
        raise CredentialError(
            f"no {what}{reason}", hint=f"name a file that holds it in `{file_variable}`, or set `{variable}`"
        )
    return found


def _login(profile: Profile) -> str:
    database = profile.database
    return visible(f"user `{database.user}` at `{database.nodes[0].host}` (profile `{profile.name}`)")


def _entry(profile: Profile) -> tuple[str, str]:
    if not profile.database.nodes:
        raise UsageError(f"profile `{profile.name}` needs no password: {profile.database.engine} has no users")
    if profile.database.auth is not Auth.PASSWORD:
        raise UsageError(f"profile `{profile.name}` needs no password: its login is `auth: {profile.database.auth}`")
    return service_name(profile), profile.database.user or ""


def _fit(value: str, what: str, hint: str | None = None) -> Secret:
    if not value:
        raise CredentialError(f"{what} is empty", hint=hint)
    if "\0" in value:
        raise CredentialError(f"{what} holds a NUL character", hint=hint)
    return Secret(value)


def _from_driver(profile: Profile) -> str | None:
    from custctl.engines import driver_password

    database = profile.database
    servers = [(node.host, node.port) for node in database.nodes]
    return driver_password(database.engine, servers, database.name or "", database.user)


def _from_variable(environ: Mapping[str, str], variable: str = VARIABLE) -> Secret | None:
    value = environ.get(variable)
    return None if value is None else _fit(value, f"`{variable}`", f"set it, or `unset {variable}`")


def _from_file(environ: Mapping[str, str], variable: str = FILE_VARIABLE) -> Secret | None:
    name = environ.get(variable)
    if name is None:
        return None
    if not name:
        raise CredentialError(f"`{variable}` is empty", hint=f"name a file, or `unset {variable}`")
    what = f"the file `{visible(name)}`"
    hint = f"`{variable}` names it"
    try:
        with Path(name).open("rb") as stream:
            raw = stream.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "it is no path").lower()
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


def _from_keyring(profile: Profile, environ: Mapping[str, str]) -> Secret | None:
    service, user = _entry(profile)

    def get(backend: KeyringBackend) -> str | None:
        return backend.get_password(service, user)

    password = with_keyring(get, environ)
    return Secret(password) if password else None
