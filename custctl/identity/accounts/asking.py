"""Requests to the HTTP interface of any identity provider, and what their failures mean."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar

from custctl.identity.accounts.provider import ProviderUnavailableError
from custctl.support.errors import UnavailableError
from custctl.support.web import json_of

if TYPE_CHECKING:
    from custctl.support.web import Web

T = TypeVar("T")

_LEAST_WAIT, _LONGEST_WAIT = 0.5, 120.0  # seconds
_LONGEST_IN_ALL = 600.0  # seconds that one call waits: a provider that always asks to wait must not hold the program
CHECK = "check the profile's `identity`, and `HTTPS_PROXY`"
"""The hint where something else than the provider may have been reached, or nothing."""
PAUSE = 1.0
"""Seconds to wait if a provider asks to wait without saying how long."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to a request: a success or a refusal, not a server's fault.

    Attributes:
        status: HTTP's status, below 500 and not 429.
        document: the body as JSON; None if it is empty.
        headers: the headers by lower-case name.
    """

    status: int
    document: Any
    headers: Mapping[str, str]


def ask(web: Web, name: str, method: str, path: str, *, text: bool = False, **content: Any) -> Reply:
    """Send a request and return the answer.

    Args:
        web: the client of the provider.
        name: the provider, as messages call it.
        text: whether the body of a success is not JSON; it is then ignored.
        content: passed to httpx.

    Raises:
        ProviderUnavailableError: no answer came, or one that says nothing about the request: a server error, a rate
            limit, or a body that is not JSON, such as a proxy's.
        CredentialError: the server's certificate is not trusted.
    """
    try:
        response = web.send(method, path, **content)
    except UnavailableError as error:
        raise ProviderUnavailableError(f"{name}: {error.message}", hint=error.hint or CHECK) from None
    headers = {key.lower(): value for key, value in response.headers.items()}
    if response.status_code == 429:
        message = f"{name} limits how often it can be asked"
        raise ProviderUnavailableError(message, retry_after=seconds_to_wait(headers, PAUSE))
    if response.status_code >= 500:
        message = f"{name} answers with status {response.status_code}"
        raise ProviderUnavailableError(message, retry_after=seconds_to_wait(headers))
    if not response.content or (text and response.is_success):
        return Reply(response.status_code, None, headers)
    try:
        document = json_of(response)
    except ValueError:
        raise unclear(name, f"status {response.status_code} and no JSON") from None
    return Reply(response.status_code, document, headers)


class Repetition:
    """Notices that a list repeats itself, in constant memory: Brent's algorithm for finding a cycle.

    Source: R. P. Brent, "An improved Monte Carlo factorization algorithm", BIT 20 (1980).
    """

    def __init__(self) -> None:
        self._kept: object = None
        self._steps, self._limit = 0, 1

    def is_known(self, page: object) -> bool:
        """Return whether the list repeats itself; `page` is what identifies its next page."""
        if page == self._kept:
            return True
        self._steps += 1
        if self._steps == self._limit:
            self._kept, self._steps, self._limit = page, 0, self._limit * 2
        return False


def patiently(
    call: Callable[[], T], wait: Callable[[float], None], has_time: Callable[[float], bool] = lambda _: True
) -> T:
    """Call a provider, and retry while it asks to wait.

    Args:
        call: the call; safe to repeat.
        wait: waits for this many seconds; it may raise an error to end the run.
        has_time: returns whether there is time to wait for this many seconds.

    Raises:
        ProviderUnavailableError: the provider does not answer, or asks to wait for more than two minutes, or for more
            than ten in all.
    """
    waited = 0.0
    while True:
        try:
            return call()
        except ProviderUnavailableError as error:
            if error.retry_after is None:
                raise
            pause = max(error.retry_after, _LEAST_WAIT)
            if pause > _LONGEST_WAIT:
                error.hint = f"it asks to wait {pause:.0f} s"
                raise
            if waited + pause > _LONGEST_IN_ALL:
                error.hint = f"it still asks to wait after {waited:.0f} s; run the command again later"
                raise
            if not has_time(pause):
                raise
            wait(pause)
            waited += pause


def unclear(name: str, what: str) -> ProviderUnavailableError:
    """Return the error for an answer that cannot be the provider's, such as a proxy's.

    Args:
        name: the provider, as messages call it.
        what: what the answer contains, without its text, which may quote anything.
    """
    return ProviderUnavailableError(f"{name} answers with {what}", hint=CHECK)


def seconds_to_wait(headers: Mapping[str, str], otherwise: float | None = None) -> float | None:
    """Return how many seconds a provider asks to wait.

    Args:
        headers: the headers by lower-case name.
        otherwise: the result if it does not say.

    Source: RFC 9110, 10.2.3 (`Retry-After`), and Auth0's `x-ratelimit-reset`, a time in seconds since 1970.
    """
    asked = headers.get("retry-after")
    if asked is not None:
        seconds = _number(asked)
        if seconds is None:
            try:
                seconds = parsedate_to_datetime(asked).timestamp() - time.time()
            except (ValueError, OverflowError):
                return otherwise
        return max(0.0, seconds)
    reset = _number(headers.get("x-ratelimit-reset", ""))
    return otherwise if reset is None else max(0.0, reset - time.time())


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
