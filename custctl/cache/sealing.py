"""Encrypts entries with the operator's key: AES-256-GCM, bound to the place where the entry is stored.

Source: NIST SP 800-38D; random 96-bit nonces allow 2^32 entries per key.
"""

from __future__ import annotations

import base64
import binascii
import os

from custctl.support.errors import CredentialError

_KEY = 32  # bytes
_NONCE = 12


def new_key() -> str:
    """Return a key for `AesSealer`."""
    return base64.b64encode(os.urandom(_KEY)).decode()


class AesSealer:
    """See `custctl.cache.entries.Sealer`.

    Args:
        key: 32 bytes in Base64, as made by `openssl rand -base64 32`.

    Raises:
        CredentialError: the key is not valid.
    """

    def __init__(self, key: str) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            raw = base64.b64decode(key.strip(), validate=True)
        except (ValueError, binascii.Error):
            raw = b""
        if len(raw) != _KEY:
            raise CredentialError(
                "the cache's key is not 32 bytes in Base64", hint="generate one with `openssl rand -base64 32`"
            )
        self._cipher = AESGCM(raw)

    def seal(self, data: bytes, place: bytes) -> bytes:
        """Return the data encrypted."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, data, place)

    def open(self, data: bytes, place: bytes) -> bytes | None:
        """Return the data, or None if it cannot be decrypted."""
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(data[:_NONCE], data[_NONCE:], place)
        except (InvalidTag, ValueError):
            return None
