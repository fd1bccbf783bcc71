"""HTTPS to services such as identity providers: limited in time, always verified, and silent about secrets."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from custctl.support.errors import CredentialError, UnavailableError, UsageError
from custctl.support.version import __version__

if TYPE_CHECKING:
    import httpx

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Web:
    """A client for one service. Proxies and certificates are the system's: `HTTPS_PROXY`, `SSL_CERT_FILE`.

    Args:
        base: the URL that relative ones start from; plain `http` only to this machine.
        timeout: seconds that one request may take to connect, and between two bytes of an answer.
        ca: a file of certificates to trust in place of the system's.
        headers: sent with every request.

    Raises:
        UsageError: the URL is not an HTTPS one.
    """

    def __init__(
        self, base: str, *, timeout: float, ca: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        import httpx

        parts = urlsplit(base)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise UsageError(f"`{base}` is not an `https` URL")
        self.host = parts.hostname or ""
        context = ssl.create_default_context(cafile=ca)
        self._client = httpx.Client(
            base_url=base,
            timeout=timeout,
            verify=context,
            headers={"User-Agent": f"custctl/{__version__}", **(headers or {})},
        )

    def send(self, method: str, path: str, **content: Any) -> httpx.Response:
        """Send a request and return the answer, whatever its status; redirects are not followed.

        Args:
            content: as httpx takes it: `json`, `data`, `params`, `headers`, `content`.

        Raises:
            UnavailableError: no answer came, and nothing is known of the request's effect.
            CredentialError: the server's certificate is not to be trusted.
        """
        import httpx

        try:
            return self._client.request(method, path, **content)
        except httpx.TimeoutException as error:
            raise UnavailableError(f"`{self.host}` does not answer in time") from error
        except httpx.HTTPError as error:
            # The error's own words may quote the request.
            if isinstance(error.__cause__, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY" in str(error):
                raise CredentialError(f"the certificate of `{self.host}` is not to be trusted") from None
            raise UnavailableError(f"`{self.host}` cannot be reached: {type(error).__name__}") from None

    def close(self) -> None:
        """Close its connections."""
        self._client.close()
