"""A profile's YAML as a tree of texts with line numbers; the only module that uses yaml.

The tree is built from the parser's events, not by yaml's loader, for four reasons: every value keeps its line; a scalar
keeps its text (`off` and `no` are words here, not YAML 1.1's booleans); aliases, tags and deep nesting are rejected
before they use memory; and variables are replaced after parsing, so that no value can inject YAML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from custctl.support.children import holds_secret, names_secret, secret_variable
from custctl.support.files import UnfitFileError, read_regular
from custctl.support.text import visible

_MAX_BYTES = 64 * 1024
_MAX_DEPTH = 8
_TOO_DEEP = f"nested deeper than {_MAX_DEPTH} levels"
_MAX_VALUE = 4096
_QUOTED = 60
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
# Lone surrogates are undecodable bytes of the environment.
_CONTROL = r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]"
_PLAIN = r"[\t\n\r\x20-\x7e]*"
# Characters that YAML forbids; the parsers report no line for them. Compiled only if a text is not plain ASCII.
_NOT_YAML = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff]"
_VARIABLE = r"\$\$|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|(?P<bad>\$\{)"

_PLAIN_KEY = r"[\w-]{1,40}"
_CREDENTIALS_HINT = (
    "keep passwords out of profiles: `custctl credential set`, or the files named by `CUSTCTL_DB_PASSWORD_FILE` and "
    "`CUSTCTL_CACHE_PASSWORD_FILE`"
)


class Problem(NamedTuple):
    """One problem of a profile.

    Attributes:
        line: 1-based.
        message: what is wrong; never contains a password or a variable's value.
        hint: how to fix it.
    """

    line: int
    message: str
    hint: str | None = None


@dataclass(slots=True)
class Scalar:
    """A value.

    Attributes:
        text: the value, with its variables replaced.
        raw: the value as it is in the file.
        variables: names of the variables whose values it contains.
        defaulted: whether a default replaces one of these.
        usable: False if a problem with it is already recorded.
    """

    text: str
    line: int
    raw: str = ""
    variables: tuple[str, ...] = ()
    defaulted: bool = False
    null: bool = False
    usable: bool = True

    def quoted(self) -> str:
        """Return the value for a message; a value from a variable is hidden, because it may be a secret."""
        if self.variables:
            return f"the value of {', '.join(f'`${{{name}}}`' for name in self.variables)}"
        return quote(self.text)


class Items(NamedTuple):
    """A list of values."""

    line: int
    nodes: list[Node]


class Fields(NamedTuple):
    """A mapping: for each key its line and its value."""

    line: int
    nodes: dict[str, tuple[int, Node]]


Node = Scalar | Items | Fields


class _StopReadingError(Exception):
    """The rest of the text cannot be read; the problem is recorded."""


class _SpoiltError(Exception):
    """A value cannot be used."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.problem = problem


def quote(text: str) -> str:
    """Return a text from the file for a message: short, safe for a terminal, in backticks."""
    short = text if len(text) <= _QUOTED else text[: _QUOTED - 1] + "…"
    return f"`{visible(short)}`"


def secret_problem(line: int, what: str) -> Problem:
    """Return the problem for a password in a profile; `what` must not quote it."""
    return Problem(line, f"a profile must not contain a password: {what}", _CREDENTIALS_HINT)


def read_document(source: Path, environ: Mapping[str, str], problems: list[Problem]) -> Fields | None:
    """Return the mapping in the file, or None if it cannot be read as one.

    Args:
        source: the profile's file.
        environ: where `${NAME}` is looked up.
        problems: receives the problems found.
    """
    try:
        root = _build(_read(source, problems), environ, problems)
    except _StopReadingError:
        return None
    if isinstance(root, Fields):
        return root
    if isinstance(root, Scalar) and root.null:
        problems.append(Problem(root.line, "the file is empty", _EMPTY_HINT))
    else:
        problems.append(Problem(root.line, "a profile is a mapping of `key: value` lines", _EMPTY_HINT))
    return None


_EMPTY_HINT = "the minimum is `environment: development` and `database: {engine: sqlite, path: customers.db}`"


def _read(source: Path, problems: list[Problem]) -> str:
    def stop(line: int, message: str, hint: str | None = None) -> _StopReadingError:
        problems.append(Problem(line, message, hint))
        return _StopReadingError()

    try:
        raw = read_regular(source, _MAX_BYTES + 1)
    except (FileNotFoundError, UnfitFileError):
        raise stop(1, "it is not a file") from None
    except OSError as error:
        raise stop(1, f"cannot read the file: {(error.strerror or 'input/output error').lower()}") from None
    if len(raw) > _MAX_BYTES:
        raise stop(1, f"the file is larger than {_MAX_BYTES // 1024} KiB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise stop(raw.count(b"\n", 0, error.start) + 1, "the file is not UTF-8 text") from None
    if not re.fullmatch(_PLAIN, text) and (unfit := re.search(_NOT_YAML, text)):
        raise stop(
            text.count("\n", 0, unfit.start()) + 1,
            f"the file contains U+{ord(unfit.group()):04X}, which YAML does not allow",
        )
    return text


def _build(text: str, environ: Mapping[str, str], problems: list[Problem]) -> Node:
    """Return the tree of the only document in `text`."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        builder = _Builder(yaml.parse(text, Loader=loader), environ, problems)
        return builder.document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        what = error.problem or "invalid YAML"
        if "nesting depth" in what:  # PyYAML has its own limit since 6.0.4
            raise _noted(problems, Problem(line, _TOO_DEEP)) from None
        # PyYAML's pure parser quotes the tag, which may be half a password.
        message = f"column {column}: {visible('undefined tag' if 'tag' in what else what)}"
        hint = "quote a value that contains `: `, `#`, `{`, `[`, `@`, `%` or `!`"
        if [faulty[column - 1 : column] for faulty in text.splitlines()[line - 1 : line]] == ["\t"]:
            message, hint = f"column {column}: YAML does not allow a tab here", "indent with spaces"
        raise _noted(problems, Problem(line, message, hint)) from None
    except (yaml.YAMLError, ValueError):
        raise _noted(problems, Problem(1, "invalid YAML")) from None


def _noted(problems: list[Problem], problem: Problem) -> _StopReadingError:
    problems.append(problem)
    return _StopReadingError()


class _Builder:
    """Builds the tree from the parser's events."""

    def __init__(self, events: Iterator[Any], environ: Mapping[str, str], problems: list[Problem]) -> None:
        self._events = events
        self._environ = environ
        self._problems = problems

    def document(self) -> Node:
        import yaml

        root: Node = Scalar("", 1, null=True)
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._stop(event, "a profile is one YAML document; `---` starts a second one")
                root = self._node(next(self._events), 0)
        return root

    def _node(self, event: Any, depth: int) -> Node:
        import yaml

        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            self._problems.append(Problem(line, "a profile must not use YAML aliases", "write the value out"))
            return Scalar("", line, usable=False)
        if event.anchor is not None:
            self._problems.append(
                Problem(line, "a profile must not use YAML anchors", "write the value out where it is used")
            )
        if event.tag is not None:
            self._problems.append(
                Problem(line, "a profile must not use YAML tags", "quote a value that begins with `!`")
            )
        if depth > _MAX_DEPTH:
            raise self._stop(event, _TOO_DEEP)
        if isinstance(event, yaml.ScalarEvent):
            plain = event.style in (None, "")
            return self._interpolated(event.value, line, null=plain and event.value in _NULLS)
        if isinstance(event, yaml.SequenceStartEvent):
            items = Items(line, [])
            while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
                items.nodes.append(self._node(event, depth + 1))
            return items
        return self._fields(line, depth)

    def _fields(self, line: int, depth: int) -> Fields:
        import yaml

        fields = Fields(line, {})
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key_line = event.start_mark.line + 1
            if not isinstance(event, yaml.ScalarEvent) or event.tag is not None or event.anchor is not None:
                raise self._stop(event, "a key must be a plain word")
            key = event.value
            if names_secret(key) or holds_secret(key):
                # Skip its value unread, so that not even a message can quote it.
                named = quote(key) if re.fullmatch(_PLAIN_KEY, key) else "a key that looks like one"
                self._problems.append(secret_problem(key_line, named))
                self._skip()
                continue
            node = self._node(next(self._events), depth + 1)
            if key in fields.nodes:
                first = fields.nodes[key][0]
                self._problems.append(Problem(key_line, f"{quote(key)} is duplicated, first used in line {first}"))
            else:
                fields.nodes[key] = (key_line, node)
        return fields

    def _skip(self) -> None:
        import yaml

        open_collections = 0
        for event in self._events:
            if isinstance(event, yaml.CollectionStartEvent):
                open_collections += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                open_collections -= 1
            if open_collections == 0:
                return

    def _interpolated(self, raw: str, line: int, *, null: bool) -> Scalar:
        """Return the scalar with its variables replaced; one with a problem is not usable."""
        scalar = Scalar(raw, line, raw, null=null)
        try:
            if holds_secret(raw):
                raise _SpoiltError(secret_problem(line, "this value looks like one"))
            if "$" in raw:
                self._expand(scalar)
            if len(scalar.text) > _MAX_VALUE:
                raise _SpoiltError(Problem(line, f"the value is longer than {_MAX_VALUE} characters"))
            if not scalar.text.isprintable() and re.search(_CONTROL, scalar.text):
                raise _SpoiltError(Problem(line, "the value contains a control character or a line break"))
            if holds_secret(scalar.text):
                raise _SpoiltError(secret_problem(line, f"{scalar.quoted()} looks like one"))
        except _SpoiltError as error:
            self._problems.append(error.problem)
            scalar.usable = False
        return scalar

    def _expand(self, scalar: Scalar) -> None:
        """Replace the variables in the scalar with their values.

        Raises:
            _SpoiltError: it names a variable that is not set, or one that must stay secret.
        """
        raw, line = scalar.raw, scalar.line
        parts: list[str] = []
        names: list[str] = []
        end = length = 0
        for match in re.finditer(_VARIABLE, raw):
            if match["bad"]:
                hint = "write `${NAME}` or `${NAME:-default}`, and `$$` for a dollar sign"
                raise _SpoiltError(Problem(line, "`${` does not start a variable", hint))
            name, value = match["name"], "$"
            if name is not None:
                names.append(name)
                value = self._value(name, match["default"], scalar)
            parts += raw[end : match.start()], value
            end = match.end()
            length += len(value)
            if length > _MAX_VALUE:
                break
        scalar.text = "".join((*parts, raw[end:]))
        scalar.variables = tuple(dict.fromkeys(names))

    def _value(self, name: str, default: str | None, scalar: Scalar) -> str:
        if secret_variable(name):
            raise _SpoiltError(secret_problem(scalar.line, f"`${{{name}}}` has the name of one"))
        if default is not None and "${" in default:
            hint = "give each variable a value, or a default without another variable in it"
            raise _SpoiltError(Problem(scalar.line, f"the default of `${{{name}}}` contains another `${{`", hint))
        value = self._environ.get(name)
        # As in a shell, `:-` also replaces an empty value.
        if default is not None and not value:
            scalar.defaulted = True
            return default.replace("$$", "$")
        if value is None:
            hint = f"`export {name}=…`, or give a default: `${{{name}:-value}}`"
            raise _SpoiltError(Problem(scalar.line, f"the environment variable `{name}` is not set", hint))
        return value

    def _stop(self, event: Any, message: str, hint: str | None = None) -> _StopReadingError:
        return _noted(self._problems, Problem(event.start_mark.line + 1, message, hint))
