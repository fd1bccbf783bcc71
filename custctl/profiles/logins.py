"""Reads the `login` section of a profile: how operators log in."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from custctl.profiles.document import Fields, Items
from custctl.profiles.model import Login
from custctl.profiles.values import Values
from custctl.support.urls import is_private

ROLES = ("support", "operator", "admin")
"""The roles, lowest first."""

_KEYS = ("issuer", "client_id", "scopes", "claim", "roles")
# RFC 6749, 3.3.
_SCOPE = r"[!#-\[\]-~]{1,200}"
_EXAMPLE = "for example `roles: {support: helpdesk, operator: sales-ops, admin: dba}`"


def read_login(values: Values, fields: Fields) -> Login | None:
    """Return the section `login`; None if it has problems, which are recorded."""
    values.known(fields, "login", _KEYS)
    issuer = values.text(fields, "login.issuer", None, required=True)
    client_id = values.text(fields, "login.client_id", None, required=True)
    claim = values.text(fields, "login.claim", "groups")
    scopes = _words(values, fields, "login.scopes")
    for scope in scopes:
        if not re.fullmatch(_SCOPE, scope):
            values.note(values.lines["login.scopes"], "`login.scopes` contains an invalid scope")
    if issuer is not None and not _is_issuer(issuer):
        hint = "for example `https://login.example.com`; plain `http` only to this machine"
        values.note(values.lines["login.issuer"], "`login.issuer` is not an `https` URL", hint)
    section = values.section(fields, "login.roles", required=True)
    roles: dict[str, tuple[str, ...]] = {}
    if section is not None:
        values.known(section, "login.roles", ROLES)
        roles = {role: _words(values, section, f"login.roles.{role}") for role in ROLES if role in section.nodes}
        if not section.nodes:
            values.note(section.line, "`login.roles` gives nobody a role", _EXAMPLE)
    if issuer is None or client_id is None:
        return None
    # Without `openid`, a provider does not say who logs in.
    return Login(issuer, client_id, tuple(dict.fromkeys(("openid", *scopes))), claim or "groups", roles)


def _words(values: Values, fields: Fields, path: str) -> tuple[str, ...]:
    """Return a single value or the values of a list."""
    _, node = fields.nodes.get(path.rpartition(".")[2], (0, None))
    if isinstance(node, Items):
        return tuple(filter(None, values.words(values.items(fields, path, required=True), path)))
    word = values.text(fields, path, None)
    return (word,) if word is not None else ()


def _is_issuer(url: str) -> bool:
    if not is_private(url):
        return False
    parts = urlsplit(url)
    return bool(parts.hostname and not parts.query and not parts.fragment)
