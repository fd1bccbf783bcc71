"""Signed requests to AWS, with the credential that the AWS CLI would use on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from custctl.identity.accounts.asking import PAUSE, Reply, ask, unclear
from custctl.identity.accounts.provider import ProviderCredentialError, ProviderUnavailableError
from custctl.identity.accounts.sigv4 import Keys, signed
from custctl.support.errors import UsageError
from custctl.support.web import Web

# Errors that AWS documents for all services: those of the credential, and temporary ones.
_CREDENTIAL = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "OptInRequired",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_THROTTLED = frozenset(
    {"TooManyRequestsException", "ThrottlingException", "Throttling", "RequestLimitExceeded", "SlowDown"}
)
_UNAVAILABLE = frozenset({"InternalErrorException", "InternalFailure", "ServiceUnavailable"})
# Seconds for the whole chain: it may start the user's program (`credential_process`), which may ask for a code.
_PATIENCE = 60.0


class Fault(Exception):  # noqa: N818 - an answer, which the caller turns into an error
    """A request that the service understood and refused.

    Args:
        kind: the error's name, such as `UserNotFoundException`.
        message: the service's message.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(kind)
        self.kind = kind
        self.message = message


class Chain(Protocol):
    """Where the credential comes from."""

    def keys(self) -> Keys:
        """Return the current credential; an expiring one is renewed."""


class Service:
    """An AWS service with a JSON protocol.

    Args:
        name: the provider, as messages call it.
        service: the service's name in signatures, such as `cognito-idp`.
        prefix: the prefix of operation names in requests.
        region: the service's region.
        endpoint: the URL to use instead of the region's.
        timeout: seconds for one request.
        ca: a file of certificates to trust instead of the system's.
        chain: where the credential comes from; by default AWS's own chain.
    """

    def __init__(
        self,
        name: str,
        *,
        service: str,
        prefix: str,
        region: str,
        endpoint: str | None,
        timeout: float,
        ca: str | None = None,
        chain: Chain | None = None,
    ) -> None:
        self._name = name
        self._service = service
        self._prefix = prefix
        self._region = region
        base = endpoint or f"https://{service}.{region}.{_suffix(region)}"
        parts = urlsplit(base)
        usual = {"https": 443, "http": 80}.get(parts.scheme)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
        self._host = host if parts.port in (None, usual) else f"{host}:{parts.port}"
        self._web = Web(f"{parts.scheme}://{self._host}", timeout=timeout, ca=ca)
        self._chain = chain or BotocoreChain(timeout)

    def call(self, operation: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """Run an operation.

        Raises:
            Fault: the service refuses it.
            ProviderUnavailableError: the effect of the operation is unknown, or a rate limit was reached.
            ProviderCredentialError: there is no credential, or it does not allow the operation.
        """
        body = json.dumps(document).encode()
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"{self._prefix}.{operation}"}
        keys = self._chain.keys()
        headers = signed(
            self._host, headers, body, keys, region=self._region, service=self._service, now=datetime.now(UTC)
        )
        reply = ask(self._web, self._name, "POST", "/", content=body, headers=headers)
        if reply.status == 200:
            if reply.document is None:
                return {}
            if isinstance(reply.document, dict):
                return reply.document
        raise self._translated(operation, reply)

    def _translated(self, operation: str, reply: Reply) -> Exception:
        """Return the error for an answer that is not a success."""
        found = reply.document if isinstance(reply.document, dict) else {}
        kind = str(found.get("__type", "")).rpartition("#")[2].partition(":")[0]
        message = str(found.get("message") or found.get("Message") or "")
        if not kind or reply.status < 400:
            return unclear(self._name, f"status {reply.status} and no fault that AWS documents")
        if kind in _THROTTLED:
            # AWS does not say how long to wait; its quotas are per second.
            said = f"{self._name} limits how often it can be asked"
            return ProviderUnavailableError(said, retry_after=PAUSE)
        if kind in _UNAVAILABLE:
            return ProviderUnavailableError(f"{self._name} answers with `{kind}`")
        if kind in _CREDENTIAL:
            late = "expired" in message.lower() or "signature" in message.lower()
            hint = f"allow `{self._service}:{operation}` in the IAM policy of this credential"
            if late:
                hint = "check this machine's clock, and renew the AWS credential, for example with `aws sso login`"
            return ProviderCredentialError(f"{self._name} refuses the AWS credential: {message or kind}", hint=hint)
        return Fault(kind, message)

    def close(self) -> None:
        """Close the connections."""
        self._web.close()


class BotocoreChain:
    """botocore's credential chain: environment, profiles, SSO, web identity, containers, and the machine's role.

    Args:
        timeout: seconds for each request that a link of the chain makes.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._found: Any = None

    def keys(self) -> Keys:
        """Return the current credential.

        Raises:
            UsageError: botocore is not installed.
            ProviderCredentialError: there is none, or it cannot be renewed.
        """
        try:
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError, ClientError
            from botocore.session import get_session
        except ImportError:
            hint = "install it with `pip install 'custctl[aws]'`, or with `pipx inject custctl botocore`"
            raise UsageError("AWS credentials need the package botocore, which is not installed", hint=hint) from None

        def look() -> Any:
            if self._found is None:
                session = get_session()
                limits = {"connect_timeout": self._timeout, "read_timeout": self._timeout}
                session.set_default_client_config(Config(**limits, retries={"total_max_attempts": 1}))
                self._found = session.get_credentials()
            return self._found.get_frozen_credentials() if self._found is not None else None

        try:
            frozen = _within(_PATIENCE, look)
        except (BotoCoreError, ClientError, OSError, ValueError) as error:
            hint = "renew it, for example with `aws sso login`, or choose another with `AWS_PROFILE`"
            raise ProviderCredentialError(f"the AWS credential cannot be used: {error}", hint=hint) from None
        if frozen is None or not frozen.access_key or not frozen.secret_key:
            hint = "set `AWS_PROFILE`, run `aws configure` or `aws sso login`, or give this machine a role"
            raise ProviderCredentialError("no AWS credential was found", hint=hint)
        return Keys(frozen.access_key, frozen.secret_key, frozen.token)


def _within(seconds: float, work: Callable[[], Any]) -> Any:
    """Run `work` with a time limit: a program that it waits for may never end.

    Raises:
        ProviderCredentialError: it takes longer.
    """
    done: list[Any] = []
    failed: list[Exception] = []

    def run() -> None:
        try:
            done.append(work())
        except Exception as error:  # noqa: BLE001 - the caller's thread raises it
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not done:
        hint = "check `credential_process` and `sso_session` in the AWS configuration"
        raise ProviderCredentialError(f"no AWS credential came within {seconds:g} s", hint=hint)
    return done[0]


def _suffix(region: str) -> str:
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
