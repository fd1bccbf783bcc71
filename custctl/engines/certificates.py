"""Reads a server's certificate to show it to people; the drivers verify it but do not expose it."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from custctl.engines.model import Check
from custctl.support.errors import ExitCode
from custctl.support.text import visible

if TYPE_CHECKING:
    from ssl import SSLContext, SSLObject, SSLSocket

_SOON = 30  # a certificate that expires in fewer days should be renewed
_WRONG_TIME = {9: "is not valid yet", 10: "has expired"}  # of OpenSSL, X509_V_ERR_CERT_NOT_YET_VALID and …_HAS_EXPIRED


@dataclass(frozen=True, slots=True)
class Shown:
    """The result of a TLS handshake.

    Attributes:
        protocol: `TLSv1.3` and the like.
        cipher: OpenSSL's name of the cipher.
        certificate: the server's certificate, in DER.
        fields: the same certificate, as `getpeercert` returns it; empty if it was not verified.
    """

    protocol: str
    cipher: str
    certificate: bytes
    fields: dict[str, Any]

    @classmethod
    def by(cls, connection: SSLSocket | SSLObject) -> Shown:
        """Read the result of a finished handshake."""
        cipher = connection.cipher()
        return cls(
            connection.version() or "TLS",
            cipher[0] if cipher else "unknown cipher",
            connection.getpeercert(binary_form=True) or b"",
            dict(connection.getpeercert() or {}),
        )


def look(shake_hands: Callable[[SSLContext], Shown]) -> Iterator[Check]:
    """Yield the check of a server's certificate.

    Python returns the contents of a certificate only if it has verified it. So there are two handshakes, and the second
    one trusts the certificate that the first one returned. Real verification is up to the driver, which has already
    done it if the profile asks for it.

    Args:
        shake_hands: connects to the server and returns the result of the handshake.
    """
    try:
        first = shake_hands(_context(None))
    except (OSError, ssl.SSLError) as error:
        yield Check("certificate", True, f"not shown: {visible(str(error))}")
        return
    try:
        fields = shake_hands(_context(first.certificate)).fields
    except ssl.SSLCertVerificationError as error:
        told = _WRONG_TIME.get(error.verify_code, f"cannot be read: {visible(str(error.verify_message))}")
        hint = "renew the server's certificate"
        yield Check("certificate", False, f"it {told}", hint, ExitCode.UNAVAILABLE)
        return
    except (OSError, ssl.SSLError) as error:
        yield Check("certificate", True, f"not shown: {visible(str(error))}")
        return
    yield _described(fields)


def _context(trusted: bytes | None) -> SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if trusted is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(cadata=trusted)
    return context


def _described(fields: dict[str, Any]) -> Check:
    names = ", ".join(value for _, value in fields.get("subjectAltName", ()))
    end = datetime.fromtimestamp(ssl.cert_time_to_seconds(fields["notAfter"]), UTC)
    value = f"{_name(fields['subject'])}, for {names or 'no name'}, by {_name(fields['issuer'])}, until {end:%Y-%m-%d}"
    days = (end - datetime.now(UTC)).days
    hint = f"it expires in {days} days: renew it" if days < _SOON else None
    return Check("certificate", True, visible(value), hint)


def _name(parts: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    """Return the common name, or the whole name if it has none."""
    pairs = [pair for part in parts for pair in part]
    common = [value for key, value in pairs if key == "commonName"]
    return common[0] if common else ", ".join(value for _, value in pairs) or "no subject"


def close(connection: SSLSocket) -> None:
    """Close a connection that was only made for its handshake."""
    with contextlib.suppress(OSError):
        connection.close()
