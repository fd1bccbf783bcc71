"""TLS as this program speaks it itself, to a cache and to Patroni, and what of the environment changes it.

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
"""Variables of OpenSSL that stay in force: which authorities the system trusts, and an administrator's policy."""
KEPT_OUT = ("SSLKEYLOGFILE",)
"""Those that do not: whoever reads that file reads what was sent, passwords too."""


def client_context(authorities: str | None) -> SSLContext:
    """Return how to speak to a server whose certificate must be valid for its name.

    Not by `ssl.create_default_context`, which writes the session's keys to the file that `SSLKEYLOGFILE` names.

    Args:
        authorities: a file of certificates to trust in place of the system's.

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
    """Refuse a pipe or device, for which a database's driver would wait; what else is wrong it tells itself.

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
    """Keep those variables from the libraries of a database's driver; `os.environ` has them still."""
    for name in KEPT_OUT:
        os.unsetenv(name)
