"""The environment of programs that custctl starts, without variables that contain or lead to a secret.

`secret_variable` knows the names of all variables with a secret. Programs start without a shell and inherit only
stdin, stdout and stderr, the default of `subprocess`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_SECRET_WORDS = (
    "password", "passwd", "passphrase", "pwd", "secret", "token", "apikey", "privatekey", "encryptionkey", "credential"
)  # fmt: skip
_PASS = re.compile(r"(?:^|[_-]|ssh)pass$", re.IGNORECASE)
# Secrets whose names do not say so, and files that contain a password of a database or cache.
_SECRET_NAMES = frozenset(
    {
        "CUSTCTL_CACHE_KEY",
        "CUSTCTL_CACHE_KEY_FILE",
        "CUSTCTL_CACHE_PASSWORD_FILE",
        "CUSTCTL_CLIENT_KEY_FILE",
        "CUSTCTL_CLIENT_SECRET_FILE",
        "CUSTCTL_DB_PASSWORD_FILE",
        "CUSTCTL_IDENTITY_SECRET_FILE",
        "CUSTCTL_TOKEN_FILE",
        "PGPASSFILE",
        "PGSERVICEFILE",
        "REDISCLI_AUTH",
        "VALKEYCLI_AUTH",
    }
)
# Shells keep the working folder in these.
_INNOCENT_NAMES = frozenset({"PWD", "OLDPWD"})
# `//user:password@`, and `password=…` as in a query, an ODBC or libpq string, or an argument.
_SECRET_VALUE = re.compile(
    r"://\S*:\S*@|(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|accesskey|accountkey)\s*=\s*\S",
    re.IGNORECASE,
)


def names_secret(word: str) -> bool:
    """Return whether a word, such as a profile's key or an option, names a secret."""
    folded = word.lower().replace("_", "").replace("-", "")
    # A path to a secret is not a secret.
    if folded.endswith(("file", "path", "askpass")):
        return False
    return _PASS.search(word) is not None or any(each in folded for each in _SECRET_WORDS)


def secret_variable(name: str) -> bool:
    """Return whether a variable, judging by its name, contains a secret or names a file with one of our passwords."""
    upper = name.upper()
    return upper not in _INNOCENT_NAMES and (upper in _SECRET_NAMES or names_secret(name))


def holds_secret(value: str) -> bool:
    """Return whether a value contains a password: a URL with a login, or `password=…`."""
    return _SECRET_VALUE.search(value) is not None


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a child program, without variables that contain a secret."""
    return {name: value for name, value in environ.items() if not secret_variable(name) and not holds_secret(value)}
