"""Error classes and exit codes: every failure that a user can see has one name and one number."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

from custctl.support.text import without_hashes


class ExitCode(IntEnum):
    """The exit code of a process. The lower-case member name is the `code` in JSON errors."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    UNAVAILABLE = 3
    CREDENTIAL = 4
    CONFLICT = 5
    NOT_FOUND = 6
    REFUSED = 7
    PENDING = 8
    INVALID = 9
    PARTIAL = 10
    MIGRATION = 11
    INCOMPLETE = 12
    UNKNOWN = 13
    SPLIT_BRAIN = 14
    INTERRUPTED = 130
    TERMINATED = 143

    @property
    def label(self) -> str:
        """The stable name of the code in JSON output; both signals are `interrupted`."""
        return "interrupted" if self in (ExitCode.INTERRUPTED, ExitCode.TERMINATED) else self.name.lower()


class CustctlError(Exception):
    """An expected failure, reported to the user without a traceback.

    Args:
        message: what happened; lower case, no full stop.
        hint: the next step, or None.
        details: machine-readable facts for `-o json`; never a secret.
    """

    exit_code: ExitCode = ExitCode.FAILURE

    def __init__(self, message: str, *, hint: str | None = None, details: Mapping[str, Any] | None = None) -> None:
        # The database's own message may quote a hash.
        message = without_hashes(message)
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = dict(details or {})

    def __str__(self) -> str:
        return self.message


class UsageError(CustctlError):
    """Wrong flags or arguments, an unknown field or profile, a profile that does not validate."""

    exit_code = ExitCode.USAGE


class UnavailableError(CustctlError):
    """A database, replica or cache could not be reached, or a time limit ran out."""

    exit_code = ExitCode.UNAVAILABLE


class LockTimeoutError(UnavailableError):
    """Another transaction held a lock until the time limit."""


class CredentialError(CustctlError):
    """No credential, a refused login, or a missing privilege."""

    exit_code = ExitCode.CREDENTIAL


class NoCredentialError(CredentialError):
    """No password was found; some servers accept a login without one."""


class ConflictError(CustctlError):
    """The row's version changed, or a unique value is taken."""

    exit_code = ExitCode.CONFLICT


class NotFoundError(CustctlError):
    """No such customer or replica."""

    exit_code = ExitCode.NOT_FOUND


class RefusedError(CustctlError):
    """Refused because of the environment, a standby or a missing confirmation."""

    exit_code = ExitCode.REFUSED


class PendingError(CustctlError):
    """The schema is missing, older than this program needs, or different from its scripts."""

    exit_code = ExitCode.PENDING


class InvalidError(CustctlError):
    """Input data does not validate."""

    exit_code = ExitCode.INVALID


class PartialError(CustctlError):
    """Some rows were rejected; the others were imported."""

    exit_code = ExitCode.PARTIAL


class MigrationError(CustctlError):
    """A script failed or cannot run, or an applied script has drifted."""

    exit_code = ExitCode.MIGRATION


class OutcomeUnknownError(CustctlError):
    """The outcome of the change is unknown; the hint says how to find out."""

    exit_code = ExitCode.UNKNOWN


class CommitLostError(OutcomeUnknownError):
    """The connection was lost during a commit: either it took effect, or it never will."""


class IncompleteError(CustctlError):
    """The change is made, but a later step failed, such as an account at the identity provider; or a cluster is degraded."""

    exit_code = ExitCode.INCOMPLETE


class SplitBrainError(CustctlError):
    """Two nodes accept writes, or one that did is no longer a primary."""

    exit_code = ExitCode.SPLIT_BRAIN


class InterruptedRunError(CustctlError):
    """Ctrl-C or SIGTERM ended the command; the message says what was committed."""

    exit_code = ExitCode.INTERRUPTED

    def __init__(self, message: str, *, terminated: bool = False, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = ExitCode.TERMINATED if terminated else ExitCode.INTERRUPTED


class StatementError(Exception):
    """A statement failed.

    Args:
        orig: the driver's error.
        statement: the text that was sent.
    """

    def __init__(self, orig: Exception, statement: str) -> None:
        super().__init__(str(orig))
        self.orig = orig
        self.statement = statement


def other_shape(where: str, text: str) -> PendingError:
    """Return the error for a table that differs from its scripts.

    Args:
        where: the database or node, as messages name it.
        text: what is wrong, in the server's own words.
    """
    return PendingError(
        f"the schema of {where} differs from its scripts: {text}",
        hint="run `custctl migrate`; if nothing is pending, `custctl doctor` shows what differs, and a statement for each",
    )
