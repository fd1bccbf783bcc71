"""The certificate that a server shows, for people to look at; the drivers verify it, and keep it to themselves."""

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

_SOON = 30  # days before its end in which a certificate is to be renewed
_WRONG_TIME = {9: "is not valid yet", 10: "has expired"}  # of OpenSSL, X509_V_ERR_CERT_NOT_YET_VALID and …_HAS_EXPIRED


@dataclass(frozen=True, slots=True)
class Shown:
    """What a handshake showed.

    Attributes:
        protocol: `TLSv1.3` and the like.
        cipher: as OpenSSL names it.
        certificate: the server's, in DER.
        fields: the same, as `getpeercert` returns it; empty where nothing was verified.
    """

    protocol: str
    cipher: str
    certificate: bytes
    fields: dict[str, Any]

    @classmethod
    def by(cls, connection: SSLSocket | SSLObject) -> Shown:
        """Read what a finished handshake left."""
        cipher = connection.cipher()
        return cls(
            connection.version() or "TLS",
            cipher[0] if cipher else "unknown cipher",
            connection.getpeercert(binary_form=True) or b"",
            dict(connection.getpeercert() or {}),
        )


def look(shake_hands: Callable[[SSLContext], Shown]) -> Iterator[Check]:
    """Yield the check of a server's certificate.

    Python tells what stands in a certificate only where it has verified it. So hands are shaken twice: at the second
    time, what the first one showed is trusted. Whether it deserves that is for the driver, which has verified it
    already where the profile asks for that.

    Args:
        shake_hands: connects to the server and returns what it shows.
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
    yield _told(fields)


def _context(trusted: bytes | None) -> SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if trusted is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(cadata=trusted)
    return context


def _told(fields: dict[str, Any]) -> Check:
    names = ", ".join(value for _, value in fields.get("subjectAltName", ()))
    end = datetime.fromtimestamp(ssl.cert_time_to_seconds(fields["notAfter"]), UTC)
    value = f"{_name(fields['subject'])}, for {names or 'no name'}, by {_name(fields['issuer'])}, until {end:%Y-%m-%d}"
    days = (end - datetime.now(UTC)).days
    hint = f"it expires in {days} days: renew it" if days < _SOON else None
    return Check("certificate", True, visible(value), hint)


def _name(parts: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    """Return the common name, or the whole of a name that has none."""
    pairs = [pair for part in parts for pair in part]
    common = [value for key, value in pairs if key == "commonName"]
    return common[0] if common else ", ".join(value for _, value in pairs) or "no subject"


def close(connection: SSLSocket) -> None:
    """Close a connection that was made for its handshake alone."""
    with contextlib.suppress(OSError):
        connection.close()
