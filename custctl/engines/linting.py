"""What all engines' linters share: they read a script statement by statement and collect findings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from custctl.engines.scripts import Finding


class Findings:
    """The findings in one script.

    Attributes:
        hints: the safer way, by rule.
    """

    hints: ClassVar[Mapping[str, str]]

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self._line = 1
        # What the script has dropped and not yet created again, and the finding to report for it.
        self._dropped: dict[Any, Finding] = {}

    def finish(self) -> list[Finding]:
        """Return all findings sorted by line; call it after the last statement."""
        return sorted([*self.findings, *self._dropped.values()], key=lambda finding: finding.line)

    def _report(self, rule: str, message: str) -> None:
        self.findings.append(self._finding(rule, message))

    def _finding(self, rule: str, message: str) -> Finding:
        return Finding(rule, message, self._line, self.hints[rule])
