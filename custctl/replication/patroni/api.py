"""Patroni's REST API on one node.

Source: https://patroni.readthedocs.io/en/latest/rest_api.html; the environment variables are those of `patronictl`,
https://patroni.readthedocs.io/en/latest/ENVIRONMENT.html.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from custctl.profiles.credentials import Secret
from custctl.support.errors import CredentialError, OutcomeUnknownError, UnavailableError
from custctl.support.text import visible
from custctl.support.tls import client_context

if TYPE_CHECKING:
    from http.client import HTTPConnection, HTTPResponse
    from ssl import SSLContext

_LARGEST = 1 << 20  # bytes of an answer; ten nodes take about 4,000
_YES = ("1", "on", "true", "yes")


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach Patroni's REST API: protocol and credentials.

    Attributes:
        encrypted: whether to use https: a variable says how to verify certificates, or which one to present.
        user: the login for changes; None if Patroni requires none.
        password: the password of that login.
        authority: a file of CA certificates to trust instead of the system's.
        certificate: the file of the client certificate.
        key: the file of its key, if separate.
        key_password: the passphrase of the key.
        insecure: whether to accept any certificate.
    """

    encrypted: bool = False
    user: str | None = None
    password: Secret | None = None
    authority: str | None = None
    certificate: str | None = None
    key: str | None = None
    key_password: Secret | None = None
    insecure: bool = False

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Access:
        """Read the variables that `patronictl` reads.

        Raises:
            CredentialError: a user without a password, or the other way round.
        """
        user, password = _login(environ, "PATRONI_CTL") or _login(environ, "PATRONI_RESTAPI") or (None, None)
        authority = environ.get("PATRONI_CTL_CACERT") or environ.get("PATRONI_RESTAPI_CAFILE")
        certificate = environ.get("PATRONI_CTL_CERTFILE")
        key_password = environ.get("PATRONI_CTL_KEYFILE_PASSWORD")
        insecure = environ.get("PATRONI_CTL_INSECURE", "").lower() in _YES
        return cls(
            encrypted=bool(authority or certificate or insecure),
            user=user,
            password=Secret(password) if password else None,
            authority=authority or None,
            certificate=certificate or None,
            key=environ.get("PATRONI_CTL_KEYFILE") or None,
            key_password=Secret(key_password) if key_password else None,
            insecure=insecure,
        )

    def context(self) -> SSLContext:
        """Return the TLS context.

        Raises:
            CredentialError: a file cannot be used.
        """
        import ssl

        try:
            context = client_context(self.authority)
            if self.insecure:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            if self.certificate is not None:
                opened = self.key_password.reveal() if self.key_password is not None else ""
                # With None, OpenSSL would prompt for a passphrase on the terminal.
                context.load_cert_chain(self.certificate, self.key, opened)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise CredentialError(
                f"the certificates for Patroni's REST API cannot be used: {reason}",
                hint="check the files that `PATRONI_CTL_CACERT`, `PATRONI_CTL_CERTFILE` and `PATRONI_CTL_KEYFILE` name",
            ) from None
        return context

    def headers(self) -> dict[str, str]:
        """Return the headers of a request that changes something."""
        from base64 import b64encode

        headers = {"Content-Type": "application/json"}
        if self.user is not None and self.password is not None:
            login = b64encode(f"{self.user}:{self.password.reveal()}".encode()).decode()
            headers["Authorization"] = f"Basic {login}"
        return headers


def _login(environ: Mapping[str, str], prefix: str) -> tuple[str, str] | None:
    names = f"{prefix}_USERNAME", f"{prefix}_PASSWORD"
    user, password = map(environ.get, names)
    if user and password:
        return user, password
    if user or password:
        given, missing = names if user else reversed(names)
        raise CredentialError(f"a login to Patroni's REST API needs both: `{given}` is set, and `{missing}` is not")
    return None


@dataclass(frozen=True, slots=True)
class Answer:
    """Patroni's answer to a request.

    Attributes:
        status: the HTTP status.
        words: the first line of the body.
    """

    status: int
    words: str

    def __str__(self) -> str:
        return f"{self.status}{f', {self.words}' if self.words else ''}"


class PatroniApi:
    """The REST API of one node. It ignores proxy variables: nodes are reached directly, as the database is.

    Args:
        host: the node's host, as for the database.
        port: the API's port.
        access: protocol and credentials.
        timeout: seconds for a connection, and for each part of an answer.
    """

    def __init__(self, host: str, port: int, access: Access, timeout: float) -> None:
        # A path is the directory of PostgreSQL's socket, so the node is on this machine.
        self._host = "localhost" if host.startswith("/") else host
        self._port = port
        self._access = access
        self._timeout = timeout

    def __str__(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"Patroni's REST API at {host}:{self._port}"

    @property
    def is_exposed(self) -> bool:
        """Whether a password would cross the network unencrypted."""
        is_here = self._host in ("localhost", "::1") or self._host.startswith("127.")
        return self._access.password is not None and not self._access.encrypted and not is_here

    def get(self, path: str) -> Any:
        """Fetch a document.

        Raises:
            UnavailableError: it does not answer, or does not return JSON with status 200.
            CredentialError: certificates cannot be used.
        """
        from http.client import HTTPException

        connection = self._connection(self._timeout)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            text = _text(response)
        except (OSError, HTTPException) as error:
            raise self._unreachable(error) from None
        finally:
            connection.close()
        if response.status != 200:
            raise UnavailableError(f"{self} answers {response.status}{f': {_first_line(text)}' if text else ''}")
        try:
            return json.loads(text)
        except ValueError:
            raise UnavailableError(f"{self} sent a response that is not JSON", hint=self._hint()) from None

    def post(self, path: str, body: Mapping[str, Any], timeout: float) -> Answer:
        """Request a change.

        Args:
            timeout: seconds for the answer, which arrives once the change has been made.

        Raises:
            UnavailableError: it does not answer; the request was not sent.
            OutcomeUnknownError: the request was sent, and the answer was lost.
            CredentialError: certificates cannot be used.
        """
        from http.client import HTTPException

        connection = self._connection(self._timeout)
        try:
            connection.connect()
        except OSError as error:
            raise self._unreachable(error) from None
        connection.sock.settimeout(timeout)
        try:
            connection.request("POST", path, json.dumps(body), self._access.headers())
            response = connection.getresponse()
            return Answer(response.status, _first_line(_text(response)))
        except (OSError, HTTPException) as error:
            raise OutcomeUnknownError(
                f"the answer of {self} was lost: {_reason(error)}",
                hint="`custctl replica status` shows the outcome",
            ) from None
        finally:
            connection.close()

    def _connection(self, timeout: float) -> HTTPConnection:
        from http.client import HTTPConnection, HTTPSConnection

        if self._access.encrypted:
            return HTTPSConnection(self._host, self._port, timeout=timeout, context=self._access.context())
        return HTTPConnection(self._host, self._port, timeout=timeout)

    def _unreachable(self, error: Exception) -> UnavailableError:
        return UnavailableError(f"{self} does not answer: {_reason(error)}", hint=self._hint())

    def _hint(self) -> str:
        if self._access.encrypted:
            return "`api_port` of the node says where it listens; custctl uses https because `PATRONI_CTL_…` is set"
        return "`api_port` of the node says where it listens; set `PATRONI_CTL_CACERT` to use https"


def _text(response: HTTPResponse) -> str:
    return response.read(_LARGEST).decode(errors="replace")


def _first_line(text: str) -> str:
    """Return the first line of an answer, for a message; an error page has more."""
    lines = text.strip().splitlines()
    return visible(lines[0])[:300] if lines else ""


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return visible(getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
