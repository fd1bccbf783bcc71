"""Stores a login in the system keyring: its tokens, and the claims, which were checked on arrival.

One entry per issuer and client. The keyring protects the claims like the tokens, so an unexpired login is used without
asking the provider again. Some keyrings accept only short entries: a longer login is split into several.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from custctl.profiles.credentials import Secret
from custctl.profiles.keyrings import with_keyring
from custctl.support.errors import CredentialError

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

    from custctl.profiles.model import Login

# The Windows Credential Manager accepts 2,560 bytes, at two bytes per character.
_SHORT, _SHORT_BACKEND = 1200, "WinVaultKeyring"
_MOST = 64  # parts
_OTHERWISE = "on a machine without one, name a file with a token in `CUSTCTL_TOKEN_FILE`"


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored login.

    Attributes:
        claims: the provider's verified claims about the person.
        expires_at: when the claims expire, in seconds since 1970.
        access_token: for a database that checks tokens.
        access_expires_at: when the access token expires, in seconds since 1970.
        refresh_token: gets the next tokens; None if the provider issues none.
    """

    claims: Mapping[str, Any]
    expires_at: float
    access_token: Secret | None = None
    access_expires_at: float = 0.0
    refresh_token: Secret | None = None


def _service(login: Login) -> str:
    return f"custctl:login:{login.issuer}"


def require_keyring(login: Login, environ: Mapping[str, str]) -> None:
    """Ensure that a login can be stored.

    Raises:
        CredentialError: the keyring cannot be used.
    """
    with_keyring(lambda _: None, environ, _OTHERWISE)


def read_kept(login: Login, environ: Mapping[str, str]) -> Kept | None:
    """Return the stored login; None if there is none, or if it is incomplete.

    Raises:
        CredentialError: the keyring cannot be used.
    """

    def get(backend: KeyringBackend) -> str | None:
        first = backend.get_password(_service(login), login.client_id)
        if not first:
            return None
        mark, count, text = (*first.split(":", 2), "", "", "")[:3]
        if not count.isdigit() or int(count) > _MOST:
            return None
        for number in range(1, int(count)):
            part = backend.get_password(_service(login), _part(login, number)) or ""
            # Missing, or a part of another login: the write was interrupted.
            if not part.startswith(f"{mark}:"):
                return None
            text += part.partition(":")[2]
        return text

    text = with_keyring(get, environ, _OTHERWISE)
    return _loads(text) if text else None


def keep(login: Login, kept: Kept, environ: Mapping[str, str]) -> str:
    """Store a login in place of the previous one; return the keyring's name.

    Raises:
        CredentialError: the keyring cannot be used, or did not store the login.
    """
    import secrets

    text = _dumps(kept)

    def put(backend: KeyringBackend) -> str:
        size = _SHORT if _splits(backend) else len(text)
        parts = [text[at : at + size] for at in range(0, len(text), size)]
        if len(parts) > _MOST:
            raise CredentialError("the login is too long for this keyring", hint="ask for fewer scopes")
        mark = secrets.token_hex(4)
        # Write the first part last: it has the number of parts and their mark.
        for number, part in [*enumerate(parts)][:0:-1]:
            backend.set_password(_service(login), _part(login, number), f"{mark}:{part}")
        backend.set_password(_service(login), login.client_id, f"{mark}:{len(parts)}:{parts[0]}")
        if backend.get_password(_service(login), login.client_id) != f"{mark}:{len(parts)}:{parts[0]}":
            raise CredentialError("the keyring did not store the login unchanged")
        _delete_parts(backend, login, len(parts))
        return str(backend.name)

    return with_keyring(put, environ, _OTHERWISE)


def forget(login: Login, environ: Mapping[str, str]) -> None:
    """Delete the stored login.

    Raises:
        CredentialError: the keyring cannot be used.
    """

    def delete(backend: KeyringBackend) -> None:
        _delete_parts(backend, login, 1)
        # Last: it stands for the login, so that a run that was killed is repeated.
        if backend.get_password(_service(login), login.client_id) is not None:
            backend.delete_password(_service(login), login.client_id)

    with_keyring(delete, environ, _OTHERWISE)


def _splits(backend: KeyringBackend) -> bool:
    return type(backend).__name__ == _SHORT_BACKEND


def _delete_parts(backend: KeyringBackend, login: Login, first: int) -> None:
    """Delete the parts from a number on; also those that a killed run has left."""
    for number in range(first, _MOST if _splits(backend) else first):
        if backend.get_password(_service(login), _part(login, number)) is not None:
            backend.delete_password(_service(login), _part(login, number))


def _part(login: Login, number: int) -> str:
    return f"{login.client_id}#{number}"


def _dumps(kept: Kept) -> str:
    held = {name: value.reveal() if isinstance(value, Secret) else value for name, value in _fields(kept).items()}
    return base64.b64encode(zlib.compress(json.dumps(held, separators=(",", ":")).encode())).decode()


def _fields(kept: Kept) -> dict[str, Any]:
    return {name: getattr(kept, name) for name in Kept.__slots__}


def _loads(text: str) -> Kept | None:
    try:
        held = json.loads(zlib.decompress(base64.b64decode(text)))
        return Kept(
            claims=dict(held["claims"]),
            expires_at=float(held["expires_at"]),
            access_token=Secret(held["access_token"]) if held["access_token"] else None,
            access_expires_at=float(held["access_expires_at"]),
            refresh_token=Secret(held["refresh_token"]) if held["refresh_token"] else None,
        )
    except (ValueError, TypeError, KeyError, zlib.error):
        return None  # written by another release, or by something else
