"""An HTTPS client for services such as identity providers: limited in time and size, verified, silent about secrets."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from custctl.support.errors import CredentialError, UnavailableError, UsageError
from custctl.support.tls import client_context
from custctl.support.urls import is_private
from custctl.support.version import __version__

if TYPE_CHECKING:
    import httpx

LARGEST = 16 * 1024 * 1024
"""Maximum bytes of an answer."""

# `time.monotonic()` after which no request starts, in seconds.
_ends: ContextVar[float | None] = ContextVar("ends", default=None)
# Headers that describe the bytes on the wire, not the bytes that were read.
_OF_THE_WIRE = frozenset({"content-encoding", "content-length", "transfer-encoding"})


@contextmanager
def starting_within(seconds: float | None) -> Iterator[None]:
    """Start no request in the block after this time; None for no limit.

    Many requests that are each in time would otherwise add up without end. The last one still has its own limit.
    """
    token = _ends.set(time.monotonic() + seconds if seconds is not None else None)
    try:
        yield
    finally:
        _ends.reset(token)


def json_of(response: httpx.Response) -> Any:
    """Return the JSON in an answer.

    Raises:
        ValueError: it is not JSON, or is nested too deeply to be read.
    """
    try:
        return response.json()
    except RecursionError:
        raise ValueError("JSON is nested too deeply") from None


class Web:
    """A client for one service and one thread, with the system's proxies (`HTTPS_PROXY`) and CAs (`SSL_CERT_FILE`).

    Args:
        base: the URL that relative URLs start from; plain `http` only to this machine.
        timeout: seconds for one request, from the name lookup to the last byte of the answer.
        ca: a file of certificates to trust instead of the system's.
        headers: sent with every request.

    Raises:
        UsageError: the URL does not use HTTPS, or the file contains no certificates.
    """

    def __init__(
        self, base: str, *, timeout: float, ca: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        if not is_private(base):
            raise UsageError(f"`{base}` is not an `https` URL")
        self.host = urlsplit(base).hostname or ""
        self.timeout = timeout
        self._base = base
        # No compression: a small answer could expand into a large one.
        self._headers = {"User-Agent": f"custctl/{__version__}", "Accept-Encoding": "identity", **(headers or {})}
        try:
            self._context = client_context(ca)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UsageError(f"`{ca or 'SSL_CERT_FILE'}` contains no certificates to trust: {reason}") from None
        self._made: httpx.Client | None = None

    def send(self, method: str, path: str, *, timeout: float | None = None, **content: Any) -> httpx.Response:
        """Send a request and return the complete answer, whatever its status; redirects are not followed.

        The time limit covers the whole request, including a silent name server and a slow answer. `starting_within`
        limits all requests of a block.

        Args:
            timeout: seconds for this request; by default the client's limit.
            content: passed to httpx: `json`, `data`, `params`, `headers`, `content`.

        Raises:
            UnavailableError: no complete answer came in time, and the request's effect is unknown.
            CredentialError: the server's certificate is not trusted.
        """
        ends = _ends.get()
        if ends is not None and time.monotonic() >= ends:
            raise UnavailableError(f"`{self.host}` does not answer all requests in time")
        limit = self.timeout if timeout is None else timeout
        call = _Call(self._client(), method, path, content, limit)
        call.thread.start()
        try:
            call.thread.join(limit)
        finally:
            if call.thread.is_alive():
                # The thread ends by itself; later requests do not share its connections.
                call.abandoned = True
                self._made = None
        if call.abandoned:
            raise UnavailableError(f"`{self.host}` does not answer in time")
        if call.response is not None:
            return call.response
        raise self._translated(call.error)

    def _client(self) -> httpx.Client:
        if self._made is None:
            import httpx

            self._made = httpx.Client(
                base_url=self._base, timeout=self.timeout, verify=self._context, headers=self._headers
            )
        return self._made

    def _translated(self, error: Exception | None) -> Exception:
        """Return the error for the caller; httpx's own message may quote the request."""
        import httpx

        if isinstance(error, _TooLargeError):
            return UnavailableError(f"the answer of `{self.host}` is larger than {LARGEST >> 20} MiB")
        if isinstance(error, httpx.TimeoutException):
            return UnavailableError(f"`{self.host}` does not answer in time")
        if isinstance(error, httpx.HTTPError):
            if isinstance(error.__cause__, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY" in str(error):
                return CredentialError(f"the certificate of `{self.host}` is not trusted")
            return UnavailableError(f"`{self.host}` cannot be reached: {_reason(error)}")
        if isinstance(error, httpx.InvalidURL | UnicodeError):
            # It contains what the service itself has sent.
            return UnavailableError(f"a request that `{self.host}` expects cannot be sent: it is not valid HTTP")
        return error or UnavailableError(f"`{self.host}` cannot be reached")

    def close(self) -> None:
        """Close the connections."""
        if self._made is not None:
            self._made.close()
            self._made = None


def _reason(error: BaseException) -> str:
    """Return the system's reason for a failed connection, or the kind of the error."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__


class _TooLargeError(Exception):
    pass


class _Call:
    """One request in its own thread: the only way to meet the time limit whatever the server and the resolver do."""

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
        except Exception as error:  # noqa: BLE001 - the caller's thread raises it
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
