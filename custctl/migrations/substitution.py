"""Substitute values from the environment into a script that asks for it, only at execution."""

from __future__ import annotations

import re
from collections.abc import Mapping

from custctl.support.errors import MigrationError

_REFERENCE = re.compile(r"(\$)?\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}\n]*))?\})?")

# A reference, which is kept, or a word of a message.
_WORD = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}|[^\s\"'`:;,()]+")


def substitute(text: str, environ: Mapping[str, str], *, name: str, line: int) -> str:
    """Replace `${NAME}` and `${NAME:-default}`; the default applies if NAME is unset or empty.

    `$${` stands for a literal `${`; any other dollar sign stays, as in `$argon2id$…` and `$BODY$`. Values are inserted
    as they are: quoting is up to the script. Split first, then substitute in each statement, so that no value ends a
    statement and line numbers stay true; journal, show and hash the text before substitution, because values may be
    secrets.

    Args:
        text: a statement of a script with the directive `substitute`.
        environ: the values by name.
        name: the script's name for messages.
        line: 1-based line of the file on which the text begins.

    Returns:
        The text to execute.

    Raises:
        MigrationError: a variable that is not set and has no default, or a `${` that is not a reference.
    """

    def value(match: re.Match[str]) -> str:
        escape, variable, default = match.groups()
        if escape:
            return match.group()[1:]
        if variable is None:
            raise failure(match, "`${` does not start a reference", "write `$${` for a literal `${`")
        found = environ.get(variable)
        if default is not None:
            return found or str(default)
        if found is None:
            hint = f"set it, or give a default: `${{{variable}:-…}}`"
            raise failure(match, f"the variable `{variable}` is not set", hint)
        return found

    def failure(match: re.Match[str], message: str, hint: str) -> MigrationError:
        at = line + text.count("\n", 0, match.start())
        return MigrationError(f"{name}:{at}: {message}", hint=hint, details={"script": name, "line": at})

    return _REFERENCE.sub(value, text)


def mask(message: str, text: str, environ: Mapping[str, str]) -> str:
    """Return an engine's message without the values that a script took from the environment.

    A whole value becomes `${NAME}`. A part of one becomes `…`, such as the rest of a value with a quote in it that the
    engine reports as a syntax error; so does any word of the message that happens to equal such a part.

    Args:
        message: the engine's message.
        text: the script, as written.
        environ: the values by name.
    """
    values = {}
    for match in _REFERENCE.finditer(text):
        value = environ.get(match[2] or "")
        if value and not match[1]:
            values[match[2]] = value
    # Longest first: one value may be part of another.
    for name, value in sorted(values.items(), key=lambda item: -len(item[1])):
        message = message.replace(value, f"${{{name}}}")

    def part(match: re.Match[str]) -> str:
        word = match[0]
        return "…" if any(word in value for value in values.values()) and word not in text else word

    return _WORD.sub(part, message)
