"""What is told besides what is returned."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from logging import Logger


class Teller(Protocol):
    """Receives what a person should know besides the result."""

    def note(self, text: str) -> None:
        """Take what is good to know."""

    def detail(self, text: str) -> None:
        """Take what only somebody wants who looks for the cause of something."""

    def warn(self, text: str, hint: str | None = None) -> None:
        """Take what may be wrong, and what to do about it."""


class Log:
    """Passes it to the logger `custctl`, which prints nothing unless the program that uses this library says so."""

    @cached_property
    def _logger(self) -> Logger:
        import logging

        logger = logging.getLogger("custctl")
        if not any(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            logger.addHandler(logging.NullHandler())
        return logger

    def note(self, text: str) -> None:
        """See `Teller`; level INFO."""
        self._logger.info("%s", text)

    def detail(self, text: str) -> None:
        """See `Teller`; level DEBUG."""
        self._logger.debug("%s", text)

    def warn(self, text: str, hint: str | None = None) -> None:
        """See `Teller`; level WARNING."""
        self._logger.warning("%s", f"{text} (hint: {hint})" if hint else text)
