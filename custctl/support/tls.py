"""TLS connections that this program makes itself, to a cache and to Patroni, and the variables that affect them.

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
"""Variables of OpenSSL that apply: which authorities the system trusts, and an administrator's policy."""
KEPT_OUT = ("SSLKEYLOGFILE",)
"""Variables that do not apply: a reader of that file can decrypt the traffic, including passwords."""


def client_context(authorities: str | None) -> SSLContext:
    """Return a TLS context for a server whose certificate must be valid for its name.

    It does not use `ssl.create_default_context`, which writes the session's keys to the file named by `SSLKEYLOGFILE`.

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
    """Reject a pipe or device, for which a database's driver would wait; it reports other faults itself.

    Raises:
        UsageError: it is one.
    """
    try:
        require_regular(path)
    except UnfitFileError as error:
        raise UsageError(f"`{path}` contains no certificates to trust: {error.strerror}") from None
    except OSError:
        pass


def keep_out() -> None:
    """Hide those variables from the libraries of a database's driver; `os.environ` still has them."""
    for name in KEPT_OUT:
        os.unsetenv(name)
