"""OAUTHBEARER: PostgreSQL 18 checks the operator's token itself.

libpq asks the program for a token through a hook, which psycopg does not expose, so we set it in the driver's own copy
of libpq. There is one hook for the whole process.

Source: https://www.postgresql.org/docs/18/libpq-oauth.html
"""

from __future__ import annotations

import ctypes
import re
from typing import Any

from custctl.engines.postgresql.libpq import function
from custctl.support.errors import CredentialError, UnavailableError

_BEARER_TOKEN = 1  # PQAUTHDATA_OAUTH_BEARER_TOKEN
_GIVEN, _NOT_OURS = 1, 0
# RFC 6750, 2.1.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")


class _Request(ctypes.Structure):
    """`PGoauthBearerRequest`."""

    _fields_ = (
        ("openid_configuration", ctypes.c_char_p),
        ("scope", ctypes.c_char_p),
        ("asynchronous", ctypes.c_void_p),
        ("cleanup", ctypes.c_void_p),
        ("token", ctypes.c_char_p),
        ("user", ctypes.c_void_p),
    )


_Hook = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(_Request))
# By issuer; ctypes does not keep a buffer alive that only C refers to.
_tokens: dict[str, ctypes.Array[ctypes.c_char]] = {}
_hooks: list[Any] = []


def hand_over(issuer: str, token: str) -> None:
    """Make libpq log in with a token when a connection names its issuer.

    Raises:
        CredentialError: it is not a bearer token.
        UnavailableError: the driver's libpq is older than 18.
    """
    if not _TOKEN.fullmatch(token):
        raise CredentialError("the access token contains characters that PostgreSQL does not accept")
    _tokens[issuer] = ctypes.create_string_buffer(token.encode())
    if _hooks:
        return
    install = function("PQsetAuthDataHook")
    if install is None:
        raise UnavailableError(
            "psycopg's libpq does not support tokens", hint="`auth: oauth` needs version 18: install `psycopg[binary]`"
        )
    hook = _Hook(_give)
    _hooks.append(hook)
    install.argtypes = [_Hook]
    install.restype = None
    install(hook)


def _give(kind: int, _connection: int, request: Any) -> int:
    if kind != _BEARER_TOKEN:
        return _NOT_OURS
    asked = (request.contents.openid_configuration or b"").decode(errors="replace")
    for issuer, token in _tokens.items():
        if asked == issuer or asked.startswith(f"{issuer.rstrip('/')}/.well-known/"):
            request.contents.token = ctypes.cast(token, ctypes.c_char_p)
            return _GIVEN
    return _NOT_OURS
