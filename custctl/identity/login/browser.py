"""Login in this machine's browser: authorization code with PKCE and a redirect to a loopback port.

Source: RFC 8252, 7.3; RFC 7636; RFC 9207.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

from custctl.identity.login.grants import by_code
from custctl.support.children import child_environment
from custctl.support.errors import CredentialError
from custctl.support.text import visible

if TYPE_CHECKING:
    from custctl.identity.login.keeping import Kept
    from custctl.identity.login.provider import Provider

PATIENCE = 300.0
"""Seconds for the person to log in."""

_AGAIN = "run `custctl login` again"
_PATH = "/callback"
_ONE_ANSWER = 5.0  # seconds for one connection
_TICK = 0.5
_DONE = b"Logged in. You can close this window and return to the terminal.\n"
_FAILED = b"Not logged in. The terminal says why.\n"


def by_browser(
    provider: Provider, show: Callable[[str], None], open_url: Callable[[str], object], *, patience: float = PATIENCE
) -> Kept:
    """Log in with a browser.

    Args:
        show: called with the URL, in case the browser does not open.
        open_url: opens the URL.
        patience: seconds to wait for the person.

    Raises:
        CredentialError: the login was refused or took too long, or the answer belongs to another login.
        UnavailableError: the provider does not answer.
    """
    verifier, state, nonce = (secrets.token_urlsafe(48) for _ in range(3))
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    endpoint = provider.endpoint("authorization_endpoint")
    with _Loopback() as server:
        redirect_uri = f"http://127.0.0.1:{server.server_port}{_PATH}"
        asked = {
            "response_type": "code",
            "client_id": provider.login.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(provider.login.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        if "offline_access" in provider.login.scopes:
            asked["prompt"] = "consent"  # OpenID Connect Core 1.0, 11
        url = f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(asked)}"
        show(url)
        open_url(url)
        answer = server.wait(state, patience)
    if "error" in answer:
        raise CredentialError(f"the login was refused: {visible(answer['error'])[:100]}", hint=_AGAIN)
    if answer.get("iss", provider.login.issuer) != provider.login.issuer or "code" not in answer:
        raise CredentialError(f"the answer in the browser is not from `{provider.login.issuer}`", hint=_AGAIN)
    return by_code(provider, code=answer["code"], redirect_uri=redirect_uri, verifier=verifier, nonce=nonce)


class _Loopback(HTTPServer):
    """Waits for the answer on a port that only this machine can reach."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.state = ""
        self.answer: dict[str, str] | None = None

    def wait(self, state: str, patience: float) -> dict[str, str]:
        self.state, self.timeout = state, _TICK
        end = time.monotonic() + patience
        while self.answer is None:
            if time.monotonic() > end:
                raise CredentialError("timed out waiting for the login in the browser", hint=_AGAIN)
            self.handle_request()
        return self.answer

    def handle_error(self, request: Any, client_address: Any) -> None:
        # Ignore faulty connections; write nothing to stderr.
        return


class _Answer(BaseHTTPRequestHandler):
    timeout = _ONE_ANSWER
    server: _Loopback

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        given = {name: values[0] for name, values in parse_qs(parts.query).items()}
        # Any page in the browser can call this port, but only the provider's answer contains the state.
        if parts.path != _PATH or not secrets.compare_digest(given.get("state", ""), self.server.state):
            self.send_error(404)
            return
        self.server.answer = given
        text = _DONE if "code" in given else _FAILED
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        return


def browser_command(environ: Mapping[str, str]) -> list[str] | None:
    """Return the command that opens a URL in a browser on this machine, or None if there is no browser.

    Args:
        environ: `BROWSER` names the command; over SSH or without a screen there is no browser.
    """
    named = environ.get("BROWSER", "").split(os.pathsep)[0]
    if named:
        with suppress(ValueError):
            return shlex.split(named)
        return None
    if environ.get("SSH_CONNECTION"):
        return None
    if sys.platform == "darwin":
        return ["open"]
    if os.name == "nt":
        return ["rundll32", "url.dll,FileProtocolHandler"]
    has_screen = environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")
    return ["xdg-open"] if has_screen and shutil.which("xdg-open", path=environ.get("PATH")) else None


def open_browser(command: list[str], url: str, environ: Mapping[str, str]) -> bool:
    """Start a browser without a shell and without this process's secrets; return whether it started."""
    arguments = [word.replace("%s", url) for word in command]
    try:
        subprocess.Popen(  # noqa: S603 - the user chose the program
            arguments if arguments != command else [*command, url],
            env=child_environment(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return False
    return True
