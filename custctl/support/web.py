"""HTTPS to services such as identity providers: limited in time and size, always verified, silent about secrets."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from custctl.support.errors import CredentialError, UnavailableError, UsageError
from custctl.support.tls import client_context
from custctl.support.version import __version__

if TYPE_CHECKING:
    import httpx

LARGEST = 16 * 1024 * 1024
"""The most bytes that an answer may have."""

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
# What describes the bytes on the wire, not those that were read.
_OF_THE_WIRE = frozenset({"content-encoding", "content-length", "transfer-encoding"})


class Web:
    """A client for one service, for one thread. Proxies and certificates are the system's: `HTTPS_PROXY`, `SSL_CERT_FILE`.

    Args:
        base: the URL that relative ones start from; plain `http` only to this machine.
        timeout: seconds that one request may take, from the look-up of the name to the last byte of the answer.
        ca: a file of certificates to trust in place of the system's.
        headers: sent with every request.

    Raises:
        UsageError: the URL is not an HTTPS one, or the file holds no certificates.
    """

    def __init__(
        self, base: str, *, timeout: float, ca: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        parts = urlsplit(base)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise UsageError(f"`{base}` is not an `https` URL")
        self.host = parts.hostname or ""
        self.timeout = timeout
        self._base = base
        # Compressed, a small answer could become a large one.
        self._headers = {"User-Agent": f"custctl/{__version__}", "Accept-Encoding": "identity", **(headers or {})}
        try:
            self._context = client_context(ca)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UsageError(f"`{ca or 'SSL_CERT_FILE'}` contains no certificates to trust: {reason}") from None
        self._made: httpx.Client | None = None

    def send(self, method: str, path: str, *, timeout: float | None = None, **content: Any) -> httpx.Response:
        """Send a request and return the answer, read whole, whatever its status; redirects are not followed.

        The time limit is for the whole request: neither a name server that keeps silent nor an answer that trickles
        makes it longer.

        Args:
            timeout: seconds that this request may take, where that is not the client's limit.
            content: as httpx takes it: `json`, `data`, `params`, `headers`, `content`.

        Raises:
            UnavailableError: no whole answer came in time, and nothing is known of the request's effect.
            CredentialError: the server's certificate is not to be trusted.
        """
        limit = self.timeout if timeout is None else timeout
        call = _Call(self._client(), method, path, content, limit)
        call.thread.start()
        try:
            call.thread.join(limit)
        finally:
            if call.thread.is_alive():
                # It ends by itself; what it does to its connections is no matter for later requests.
                call.abandoned = True
                self._made = None
        if call.abandoned:
            raise UnavailableError(f"`{self.host}` does not answer in time")
        if call.response is not None:
            return call.response
        raise self._told(call.error)

    def _client(self) -> httpx.Client:
        if self._made is None:
            import httpx

            self._made = httpx.Client(
                base_url=self._base, timeout=self.timeout, verify=self._context, headers=self._headers
            )
        return self._made

    def _told(self, error: Exception | None) -> Exception:
        """Return the error that a caller gets; the words of httpx may quote the request."""
        import httpx

        if isinstance(error, _TooLargeError):
            return UnavailableError(f"the answer of `{self.host}` is larger than {LARGEST >> 20} MiB")
        if isinstance(error, httpx.TimeoutException):
            return UnavailableError(f"`{self.host}` does not answer in time")
        if isinstance(error, httpx.HTTPError):
            if isinstance(error.__cause__, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY" in str(error):
                return CredentialError(f"the certificate of `{self.host}` is not to be trusted")
            return UnavailableError(f"`{self.host}` cannot be reached: {type(error).__name__}")
        return error or UnavailableError(f"`{self.host}` cannot be reached")

    def close(self) -> None:
        """Close its connections."""
        if self._made is not None:
            self._made.close()
            self._made = None


class _TooLargeError(Exception):
    pass


class _Call:
    """One request, in a thread of its own: nothing else ends in time whatever the other side and the resolver do."""

    def __init__(self, client: httpx.Client, method: str, path: str, content: Mapping[str, Any], limit: float) -> None:
        self._client = client
        self._request = (method, path, content, limit)
        self._end = time.monotonic() + limit
        self.abandoned = False
        self.response: httpx.Response | None = None
        self.error: Exception | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            self.response = self._answer()
        except Exception as error:  # noqa: BLE001 - it is raised where it was asked for
            self.error = error
        if self.abandoned:
            with suppress(Exception):
                self._client.close()

    def _answer(self) -> httpx.Response:
        import httpx

        method, path, content, limit = self._request
        with self._client.stream(method, path, timeout=limit, **content) as answer:
            data = bytearray()
            for chunk in answer.iter_bytes():
                data += chunk
                if len(data) > LARGEST:
                    raise _TooLargeError
                if self.abandoned or time.monotonic() > self._end:
                    raise httpx.ReadTimeout("in time")
            headers = [(name, value) for name, value in answer.headers.multi_items() if name not in _OF_THE_WIRE]
            return httpx.Response(answer.status_code, headers=headers, content=bytes(data), request=answer.request)
