"""The current session: the login that a command runs under, refreshed when it has expired.

A refresh token that is used twice invalidates the whole login. So only one process at a time refreshes, and it records
which token it is about to use. If that process is killed, the next one finds the mark and does not use the token again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from custctl.identity.login.keeping import Kept, forget, keep, read_kept
from custctl.identity.login.remembered import file_of, recall, remember
from custctl.identity.login.roles import Role, role_of
from custctl.profiles.credentials import Secret
from custctl.support.errors import CredentialError, CustctlError, UnavailableError
from custctl.support.files import read_regular
from custctl.support.state import locked, write_whole
from custctl.support.text import visible

if TYPE_CHECKING:
    from custctl.identity.login.grants import ClientKey
    from custctl.identity.login.provider import Provider
    from custctl.profiles.model import Login

TOKEN_FILE = "CUSTCTL_TOKEN_FILE"  # noqa: S105 - the name of a variable
KEY_FILE = "CUSTCTL_CLIENT_KEY_FILE"
SECRET_FILE = "CUSTCTL_CLIENT_SECRET_FILE"  # noqa: S105 - the name of a variable
SECRET = "CUSTCTL_CLIENT_SECRET"  # noqa: S105 - the name of a variable

_MARGIN = 30.0  # a login counts as expired this many seconds before its end
_LOCK_WAIT = 45.0  # seconds; longer than a refresh takes
_LARGEST = 64 * 1024
_LOG_IN = "run `custctl login`"
_OF_FILE = f"token of `{TOKEN_FILE}`"


@dataclass(frozen=True, slots=True)
class Session:
    """A valid login.

    Attributes:
        subject: the token's `sub`, which the audit records.
        role: the role that the profile's `login.roles` give for the claims, or None.
        claims: the provider's claims about the operator.
        expires_at: when the login expires, or before that the access token that was asked for; in seconds since 1970.
        source: `keyring`, `client credentials` or the variable that names the token's file.
        access_token: for a database that checks tokens, or None.
    """

    subject: str
    role: Role | None
    claims: Mapping[str, Any]
    expires_at: float
    source: str
    access_token: Secret | None = None

    @property
    def is_over(self) -> bool:
        """Whether the login has expired, or is about to."""
        return self.expires_at - _MARGIN <= time.time()


def current(login: Login, environ: Mapping[str, str], *, with_access: bool = False) -> Session:
    """Return the login of this process.

    Args:
        with_access: whether the access token must be valid, too.

    Raises:
        CredentialError: there is no valid login; the hint says how to log in.
        UnavailableError: the login must be checked or refreshed, and the provider does not answer.
    """
    if TOKEN_FILE in environ:
        token = _secret_file(TOKEN_FILE, environ)
        kept = _at_provider(login, lambda provider, grants: grants.by_token(provider, token, _OF_FILE))
        return _session(login, kept, TOKEN_FILE, with_access)
    client = _client_key(environ)
    if client is not None:
        kept = _at_provider(login, lambda provider, grants: grants.by_client_credentials(provider, client))
        return _session(login, kept, "client credentials", with_access)
    found = read_kept(login, environ) if with_access else _found(login, environ)
    if found is None:
        raise CredentialError(f"not logged in at `{login.issuer}`", hint=_LOG_IN)
    kept = found if _is_valid(found, with_access) else _refreshed(login, environ, with_access=with_access)
    return _session(login, kept, "keyring", with_access)


def _found(login: Login, environ: Mapping[str, str]) -> Kept | None:
    """Return the login that is remembered, or else the one in the keyring, which is remembered from now on."""
    recalled = recall(login, environ)
    if recalled is not None and _is_valid(recalled, with_access=False):
        return recalled
    with ExitStack() as stack:
        alone = False
        with suppress(OSError):  # a folder that cannot be written
            alone = stack.enter_context(locked(file_of(login, environ)))
        kept = read_kept(login, environ)
        # Without the lock, another process could log out between the two and leave a remembered login.
        if kept is not None and alone:
            remember(login, kept, environ)
    return kept


def _is_valid(kept: Kept, with_access: bool) -> bool:
    return _end(kept, with_access) - _MARGIN > time.time()


def _end(kept: Kept, with_access: bool) -> float:
    return min(kept.expires_at, kept.access_expires_at) if with_access else kept.expires_at


def _session(login: Login, kept: Kept, source: str, with_access: bool) -> Session:
    return Session(
        subject=str(kept.claims["sub"]),
        role=role_of(kept.claims, login),
        claims=kept.claims,
        expires_at=_end(kept, with_access),
        source=source,
        access_token=kept.access_token if kept.access_expires_at > time.time() else None,
    )


def _at_provider(login: Login, act: Callable[[Provider, Any], Kept]) -> Kept:
    from custctl.identity.login import grants
    from custctl.identity.login.provider import Provider

    provider = Provider(login)
    try:
        return act(provider, grants)
    finally:
        provider.close()


# -- refreshing ------------------------------------------------------------------------------------


def _refreshed(login: Login, environ: Mapping[str, str], *, with_access: bool) -> Kept:
    """Refresh the stored login, unless another process has just done so."""
    with _alone(login, environ) as mark:
        kept = read_kept(login, environ)
        if kept is None:
            raise CredentialError(f"not logged in at `{login.issuer}`", hint=_LOG_IN)
        if _is_valid(kept, with_access):
            return kept
        if kept.refresh_token is None:
            raise CredentialError(f"the login at `{login.issuer}` has expired", hint=_LOG_IN)
        digest = _digest(kept.refresh_token)
        if _read(mark) == digest:
            raise CredentialError(
                f"the login at `{login.issuer}` has expired, and its refresh was interrupted", hint=_LOG_IN
            )

        def refresh(provider: Provider, grants: Any) -> Kept:
            # Detect an outage here, before the token counts as used.
            _ = provider.endpoint("token_endpoint"), provider.keys
            write_whole(mark, digest)
            try:
                fresh: Kept = grants.by_refresh(provider, kept)
            except CredentialError as error:
                mark.unlink(missing_ok=True)
                if error.details.get("oauth_error") == "invalid_grant":
                    raise CredentialError(f"the login at `{login.issuer}` has ended", hint=_LOG_IN) from None
                raise
            keep(login, fresh, environ)
            mark.unlink(missing_ok=True)
            return fresh

        return _at_provider(login, refresh)


def _digest(token: Secret) -> str:
    import hashlib

    return hashlib.sha256(token.reveal().encode()).hexdigest()


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, ValueError):
        return None


@contextmanager
def _alone(login: Login, environ: Mapping[str, str]) -> Iterator[Path]:
    """Hold a login's lock to change it, and forget it; yield the file with the digest of a refresh token in use.

    Raises:
        UnavailableError: another process holds the lock for too long.
        CredentialError: the state folder cannot be written.
    """
    remembered = file_of(login, environ)
    mark = remembered.with_suffix(".used")
    try:
        with locked(mark, _LOCK_WAIT) as held:
            if not held:
                raise UnavailableError("timed out waiting for another process that refreshes the login")
            remembered.unlink(missing_ok=True)
            yield mark
    except OSError as error:
        reason = (error.strerror or "input/output error").lower()
        raise CredentialError(f"cannot write `{mark.parent}`: {reason}", hint="make the folder writable") from None


def begin(login: Login, kept: Kept, environ: Mapping[str, str]) -> tuple[Session, str]:
    """Store a new login; return it and the keyring's name.

    Raises:
        CredentialError: the keyring cannot be used, or did not store the login.
    """
    with _alone(login, environ) as mark:
        backend = keep(login, kept, environ)
        mark.unlink(missing_ok=True)
    return _session(login, kept, "keyring", with_access=False), visible(backend)


def end(login: Login, environ: Mapping[str, str]) -> tuple[bool, CustctlError | None]:
    """Revoke and delete the stored login.

    Returns:
        Whether there was one, and why the provider did not revoke it, or None if it did.

    Raises:
        CredentialError: the keyring cannot be used.
    """
    with _alone(login, environ):
        kept = read_kept(login, environ)
        failed: CustctlError | None = None
        if kept is not None:
            try:
                if not _revoked(login, kept):
                    failed = CustctlError(f"`{login.issuer}` cannot revoke tokens: they end by themselves")
            except (CredentialError, UnavailableError) as error:
                failed = error
        forget(login, environ)
    return kept is not None, failed


def _revoked(login: Login, kept: Kept) -> bool:
    from custctl.identity.login import grants
    from custctl.identity.login.provider import Provider

    provider = Provider(login)
    try:
        return grants.revoke(provider, kept)
    finally:
        provider.close()


# -- jobs ------------------------------------------------------------------------------------------


def _client_key(environ: Mapping[str, str]) -> ClientKey | None:
    """Return what a job authenticates with, or None if the user is a person."""
    if not {KEY_FILE, SECRET_FILE, SECRET}.intersection(environ):
        return None
    from custctl.identity.login.grants import ClientKey

    if KEY_FILE in environ:
        return ClientKey(key=_secret_file(KEY_FILE, environ))
    if SECRET_FILE in environ:
        return ClientKey(secret=_secret_file(SECRET_FILE, environ))
    if not environ[SECRET]:
        raise CredentialError(f"`{SECRET}` is empty", hint=f"set it, or `unset {SECRET}`")
    return ClientKey(secret=Secret(environ[SECRET]))


def is_a_job(environ: Mapping[str, str]) -> bool:
    """Return whether the environment contains a job's login, which replaces the one in the keyring."""
    return bool({TOKEN_FILE, KEY_FILE, SECRET_FILE, SECRET}.intersection(environ))


def _secret_file(variable: str, environ: Mapping[str, str]) -> Secret:
    name = environ[variable]
    if not name:
        raise CredentialError(f"`{variable}` is empty", hint=f"name a file, or `unset {variable}`")
    what, hint = f"the file `{visible(name)}`", f"`{variable}` names it"
    try:
        raw = read_regular(name, _LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "it is not a path").lower()
        raise CredentialError(f"cannot read {what}: {reason}", hint=hint) from None
    text = ""
    with suppress(UnicodeDecodeError):
        text = raw.decode().strip()
    if not text or len(raw) > _LARGEST or "\0" in text:
        raise CredentialError(f"{what} contains no token or key", hint=hint)
    return Secret(text)
