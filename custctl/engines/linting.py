"""What all engines' linters share: they read a script statement by statement and collect findings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

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
        # Tables that the script created, so that they hold only its own rows; those that it created only if they did
        # not exist; those that it dropped or renamed. A table's key begins with its schema.
        self._own: set[tuple[str, ...]] = set()
        self._perhaps_own: set[tuple[str, ...]] = set()
        self._gone: set[tuple[str, ...]] = set()
        self._own_schemas: set[str] = set()
        # Indexes, triggers and constraints that it created, and the findings for those that it dropped and has not
        # created again. Such a key begins with the kind.
        self._made: set[tuple[str, ...]] = set()
        self._dropped: dict[tuple[str, ...], Finding] = {}

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

    def _make(self, table: tuple[str, ...], *, if_absent: bool) -> None:
        # With IF NOT EXISTS the table may be an older one, unless the script has just dropped it.
        if not if_absent or table in self._gone or table[0] in self._own_schemas:
            self._own.add(table)
        else:
            self._perhaps_own.add(table)
        self._gone.discard(table)

    def _remove(self, table: tuple[str, ...]) -> None:
        self._own.discard(table)
        self._perhaps_own.discard(table)
        self._gone.add(table)

    def _make_part(self, *part: str) -> None:
        self._made.add(part)
        self._dropped.pop(part, None)

    def _drop_part(self, message: str, *part: str) -> None:
        if part not in self._made:
            self._dropped.setdefault(part, self._finding(f"drop-{part[0]}", message))
