"""Put values from the environment into a script that asks for it, at execution only."""

from __future__ import annotations

import re
from collections.abc import Mapping

from custctl.support.errors import MigrationError

_REFERENCE = re.compile(r"(\$)?\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}\n]*))?\})?")

# A reference, which is left alone, or a word of a message.
_WORD = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}|[^\s\"'`:;,()]+")


def substitute(text: str, environ: Mapping[str, str], *, name: str = "script", line: int = 1) -> str:
    """Replace `${NAME}` and `${NAME:-default}`; the default serves where NAME is unset or empty.

    `$${` stands for a literal `${`; any other dollar sign stays, those of `$argon2id$…` and `$BODY$` too. Values go in
    as they are: quoting is the script's affair. Split first and substitute each statement then, so that no value ends
    a statement and lines stay true; journal, show and hash the text before substitution, since values may be secrets.

    Args:
        text: a statement of a script whose directives say `substitute`.
        environ: the values by name.
        name: the script's name for messages.
        line: 1-based line of the text's beginning in the file.

    Returns:
        The text to execute.

    Raises:
        MigrationError: a variable that is not set and has no default, or a `${` that is no reference.
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

    A whole value is written as `${NAME}`. A part of one, such as what a value with a quote in it leaves for the engine
    to stumble over, becomes `…`; so does any word of the message that merely reads like such a part.

    Args:
        message: what the engine said.
        text: the script, as written.
        environ: the values by name.
    """
    values = {}
    for match in _REFERENCE.finditer(text):
        value = environ.get(match[2] or "")
        if value and not match[1]:
            values[match[2]] = value
    # The longest first: one value may be a part of another.
    for name, value in sorted(values.items(), key=lambda item: -len(item[1])):
        message = message.replace(value, f"${{{name}}}")

    def part(match: re.Match[str]) -> str:
        word = match[0]
        return "…" if any(word in value for value in values.values()) and word not in text else word

    return _WORD.sub(part, message)
