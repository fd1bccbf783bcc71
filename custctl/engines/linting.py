"""What all engines' linters share: they read a script statement by statement and collect findings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from custctl.engines.scripts import Finding, Statement


class Linter(ABC):
    """The linter of one script; see `Lint`.

    Attributes:
        hints: the safer way, by rule.
    """

    hints: ClassVar[Mapping[str, str]]

    def __init__(self, *, transaction: bool) -> None:
        self._in_transaction = transaction
        self._findings: list[Finding] = []
        self._line = 1
        # What the script has dropped and not yet created again, and the finding to report for it.
        self._dropped: dict[Any, Finding] = {}

    def check(self, statements: Sequence[Statement]) -> list[Finding]:
        """Return the findings, sorted by line."""
        before = None
        for statement in statements:
            if statement is not before:  # a batch that GO repeats is read once
                self._read(statement)
            before = statement
        return sorted([*self._findings, *self._dropped.values()], key=lambda finding: finding.line)

    @abstractmethod
    def _read(self, statement: Statement) -> None:
        """Check one statement."""

    def _report(self, rule: str, message: str) -> None:
        self._findings.append(self._finding(rule, message))

    def _finding(self, rule: str, message: str) -> Finding:
        return Finding(rule, message, self._line, self.hints[rule])
