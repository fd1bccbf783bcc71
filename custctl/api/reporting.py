"""Notes and warnings, besides the values that calls return."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from logging import Logger


class Reporter(Protocol):
    """Receives messages for a person, besides the result."""

    def note(self, text: str) -> None:
        """Receive a note."""

    def detail(self, text: str) -> None:
        """Receive a detail, useful only for finding the cause of a problem."""

    def warn(self, text: str, hint: str | None = None) -> None:
        """Receive a warning about a possible problem, and the next step."""


class Log:
    """Sends messages to the logger `custctl`, which prints nothing unless the calling program configures it."""

    @cached_property
    def _logger(self) -> Logger:
        import logging

        logger = logging.getLogger("custctl")
        if not any(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            logger.addHandler(logging.NullHandler())
        return logger

    def note(self, text: str) -> None:
        """See `Reporter`; level INFO."""
        self._logger.info("%s", text)

    def detail(self, text: str) -> None:
        """See `Reporter`; level DEBUG."""
        self._logger.debug("%s", text)

    def warn(self, text: str, hint: str | None = None) -> None:
        """See `Reporter`; level WARNING."""
        self._logger.warning("%s", f"{text} (hint: {hint})" if hint else text)
