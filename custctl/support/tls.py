"""TLS for connections that this program makes itself, to a cache and to Patroni, and the variables that affect it.

Source: https://docs.python.org/3/library/ssl.html#ssl.create_default_context and
https://docs.openssl.org/master/man7/openssl-env/
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from custctl.support.errors import UsageError
from custctl.support.files import UnfitFileError, require_regular

if TYPE_CHECKING:
    from pathlib import Path
    from ssl import SSLContext

USED = ("SSL_CERT_FILE", "SSL_CERT_DIR", "OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES")
"""OpenSSL variables that apply: the authorities that the system trusts, and an administrator's policy."""
KEPT_OUT = ("SSLKEYLOGFILE",)
"""Variables that are ignored: whoever reads that file can decrypt the traffic, including passwords."""


def client_context(authorities: str | None) -> SSLContext:
    """Return a TLS context for a server whose certificate must be valid for its name.

    This avoids `ssl.create_default_context`, which writes session keys to the file named by `SSLKEYLOGFILE`.

    Args:
        authorities: a file of certificates to trust instead of the system's.

    Raises:
        OSError: the file cannot be read, is a pipe or device, or holds no certificate.
    """
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if authorities is not None:
        require_regular(authorities)
        context.load_verify_locations(authorities)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    return context


def require_authorities(path: Path | str) -> None:
    """Reject a pipe or device, on which a database driver would wait; the driver reports other faults itself.

    Raises:
        UsageError: the path is a pipe or device.
    """
    try:
        require_regular(path)
    except UnfitFileError as error:
        raise UsageError(f"`{path}` contains no certificates to trust: {error.strerror}") from None
    except OSError:
        pass


def keep_out() -> None:
    """Hide these variables from a database driver's libraries; `os.environ` still has them."""
    for name in KEPT_OUT:
        os.unsetenv(name)
