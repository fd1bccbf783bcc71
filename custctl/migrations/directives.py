"""A script's directives: the comment lines `-- custctl: …`.

Nothing is guessed: a misspelt, misplaced or contradictory directive stops the run, because ignoring `environments=test`
would let test data through.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Literal, NamedTuple, NoReturn, cast, get_args

from custctl.migrations.column_markers import MARKERS
from custctl.migrations.markers import refuse_markers
from custctl.support.errors import MigrationError
from custctl.support.patterns import compiled
from custctl.support.text import nearest

ENVIRONMENTS = ("development", "test", "staging", "production")

Phase = Literal["expand", "contract"]
"""The release that a script belongs to: before the switch to the new program, or after it."""
_FORMS = {
    "transaction": "transaction=off",
    "environments": "environments=development,test",
    "substitute": "substitute",
    "requires": "requires=FEATURE",
    "phase": "phase=expand",
    "allow": "allow=RULE reason",
    "none": "none reason",
    "personal": "personal",
    "searchable": "searchable",
}

_DIRECTIVE = compiled(r"--[ \t]*custctl[ \t]*:[ \t]*([^\n]*)", re.ASCII | re.IGNORECASE)
# What may precede the first statement: blanks and comments. All engines agree on these forms there.
_HEADER = compiled(r"(?:\s++|--[^\n]*+|/\*[^*]*+(?:\*(?!/)[^*]*+)*+(?:\*/)?)*+")
_BLOCK = compiled(r"--[^\n]*+|(/\*[^*]*+(?:\*(?!/)[^*]*+)*+)")
_IN_BLOCK = compiled(r"^[ \t/*-]*+custctl[ \t]*:", re.ASCII | re.IGNORECASE | re.MULTILINE)
# A comment that is meant as a directive, but whose first word or colon is misspelt.
_MISSPELT = compiled(
    r"^[^\S\n]*--[^\S\n]*(?P<word>c[a-z-]{2,6}c[a-z]{0,2}l[a-z]?)[^\n\w]{0,4}"
    r"(?:(?:transaction|environments|requires|phase|allow)[^\S\n]*=|(?:substitute|personal|searchable)[^\S\n]*$)[^\n]*",
    re.IGNORECASE | re.MULTILINE,
)
_PARTS = compiled(r"([A-Za-z_-]*)[ \t]*(=?)[ \t]*(.*)")
_WORD = compiled(r"[A-Za-z0-9][\w.-]*", re.ASCII)


class Directives(NamedTuple):
    """The directives of one script.

    Attributes:
        transaction: whether the script runs in one transaction.
        environments: the environments it is meant for; None means all.
        substitute: whether `${NAME}` is replaced at execution.
        allow: the linter's rules that it may break, each with the author's reason.
        requires: features that the engine must have; the script is left out if one is missing.
        none: why the script intentionally has no statements; None if it must have some.
        personal: whether every column that it adds to `customer` is personal data.
        searchable: whether `customer search` looks in every column that it adds to `customer`.
        phase: whether it belongs before or after the switch to a new release; None to let the linter decide.
    """

    transaction: bool = True
    environments: frozenset[str] | None = None
    substitute: bool = False
    allow: Mapping[str, str] = MappingProxyType({})
    requires: frozenset[str] = frozenset()
    none: str | None = None
    personal: bool = False
    searchable: bool = False
    phase: Phase | None = None


@cache
def parse_directives(text: str, name: str) -> Directives:
    """Read the directives of a script.

    A directive is alone on its line, before the first statement; `allow` may appear anywhere and more than once, and a
    column's marker after the column on its line.
    The body of the script is scanned line by line, without knowledge of the dialect: a matching line inside a string
    counts too.

    Args:
        text: the script, with LF line endings.
        name: its name for messages.

    Returns:
        The directives, with defaults for those not given.

    Raises:
        MigrationError: an unknown, misplaced, repeated or malformed directive, or a marker of another tool; the message
            names file and line.
    """
    refuse_markers(text, name)
    header = _HEADER.match(text)
    header_end = header.end() if header else 0
    parser = _Parser(text, name)
    for comment in _BLOCK.finditer(text, 0, header_end):
        hidden = _IN_BLOCK.search(comment[1]) if comment[1] else None
        if hidden:
            parser.fail(comment.start() + hidden.end(), "a directive inside a block comment has no effect")
    for match in _MISSPELT.finditer(text, 0, header_end):
        if not _DIRECTIVE.match(match[0].lstrip()):
            parser.fail(
                match.start("word"), f"`{match[0].strip()}` is not a directive", "write it as `-- custctl: DIRECTIVE`"
            )
    for match in _DIRECTIVE.finditer(text):
        before = text[text.rfind("\n", 0, match.start()) + 1 : match.start()].lstrip(" \t")
        if before.startswith("--") and before.strip("-"):
            continue  # a comment that mentions a directive, or one that was commented out
        if before and match[1].strip(" \t").lower() in MARKERS:
            continue  # belongs to the column on its line: see `column_markers`
        if before:
            parser.fail(match.start(), "a directive must be alone on its line")
        parser.read(match[1].strip(" \t"), match.start(), in_header=match.start() < header_end)
    return parser.directives()


class _Parser:
    """Collects the directives of one script."""

    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self._name = name
        self._position = 0
        self._values: dict[str, str] = {}
        self._environments: frozenset[str] | None = None
        self._requires: frozenset[str] = frozenset()
        self._allow: dict[str, str] = {}
        self._phase: Phase | None = None

    def directives(self) -> Directives:
        return Directives(
            transaction=self._values.get("transaction") != "off",
            environments=self._environments,
            substitute="substitute" in self._values,
            allow=self._allow,
            requires=self._requires,
            none=self._values.get("none"),
            personal="personal" in self._values,
            searchable="searchable" in self._values,
            phase=self._phase,
        )

    def fail(self, position: int, message: str, hint: str | None = None) -> NoReturn:
        line = self._text.count("\n", 0, position) + 1
        raise MigrationError(
            f"{self._name}:{line}: {message}",
            hint=hint or "write `-- custctl: DIRECTIVE` alone on a line, before the first statement",
            details={"script": self._name, "line": line},
        )

    def read(self, body: str, position: int, *, in_header: bool) -> None:
        """Read one directive: the text after the colon."""
        self._position = position
        parts = _PARTS.match(body)
        key, equals, value = parts.groups() if parts else ("", "", body)
        form = _FORMS.get(key)
        if form is None:
            known = nearest(key, tuple(_FORMS))
            meant = f"did you mean `{known}`? " if known else ""
            self.fail(position, f"unknown directive `{body}`", f"{meant}known: {', '.join(_FORMS)}")
        if bool(equals) != ("=" in form) or (bool(value) != bool(equals) and key != "none"):
            self._malformed(key)
        if key == "none" and not any(character.isalnum() for character in value):
            self.fail(position, "`none` gives no reason", f"write `-- custctl: {form}`")
        if key == "allow":
            self._read_allow(value)
            return
        if not in_header:
            self.fail(position, f"the directive `{key}` comes after the first statement")
        if key in self._values:
            self.fail(position, f"the directive `{key}` is given twice", "keep one of the two")
        self._values[key] = value
        if key == "transaction" and value not in ("on", "off"):
            self._malformed(key)
        elif key == "environments":
            self._environments = self._list(key, value)
            for environment in sorted(self._environments - set(ENVIRONMENTS)):
                known = nearest(environment, ENVIRONMENTS)
                meant = f"did you mean `{known}`? " if known else ""
                self.fail(position, f"unknown environment `{environment}`", f"{meant}known: {', '.join(ENVIRONMENTS)}")
        elif key == "requires":
            self._requires = self._list(key, value)
        elif key == "phase":
            if value not in get_args(Phase):
                self.fail(position, f"unknown phase `{value}`", "write `-- custctl: phase=expand` or `phase=contract`")
            self._phase = cast("Phase", value)

    def _read_allow(self, value: str) -> None:
        rule, _, reason = value.replace("\t", " ").partition(" ")
        reason = reason.strip()
        if not _WORD.fullmatch(rule):
            self._malformed("allow")
        if not any(character.isalnum() for character in reason):
            self.fail(self._position, f"`allow={rule}` gives no reason", f"write `-- custctl: {_FORMS['allow']}`")
        # A script may allow a rule in two places, each with its own reason.
        self._allow[rule] = f"{self._allow[rule]}; {reason}" if rule in self._allow else reason

    def _list(self, key: str, value: str) -> frozenset[str]:
        words = [word.strip(" \t") for word in value.split(",")]
        if not all(_WORD.fullmatch(word) for word in words):
            self._malformed(key)
        return frozenset(words)

    def _malformed(self, key: str) -> NoReturn:
        self.fail(self._position, f"the directive `{key}` is malformed", f"write `-- custctl: {_FORMS[key]}`")
