"""A scripted identity provider: it answers what a test tells it, right or wrong. It is no real one; see oidc.py for that."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.jwk import RSAKey

Answer = dict[str, Any] | tuple[int, dict[str, Any]] | Callable[[BaseHTTPRequestHandler], None]


class ScriptedProvider:
    """What it answers, and what it was asked.

    Attributes:
        answers: by path, each a list that is used up; its last answer stays.
        asked: path and form of each request.
    """

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
        self.issuer = ""
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    def token(self, *, key: RSAKey | None = None, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """Sign an ID token; a claim that is None is left out."""
        now = int(time.time())
        told = {
            "iss": self.issuer, "aud": "custctl", "sub": "olga", "groups": ["sales-ops"], "iat": now, "exp": now + 600, **claims
        }  # fmt: skip
        kept = {name: value for name, value in told.items() if value is not None}
        return jwt.encode(header or {"alg": "RS256", "kid": "one"}, kept, key or self.key)

    def tokens(self, **claims: Any) -> dict[str, Any]:
        """Return the answer of the token endpoint."""
        return {"access_token": "opaque", "token_type": "Bearer", "expires_in": 600, "id_token": self.token(**claims)}

    def answer(self, path: str) -> Answer:
        """Return the next answer for a path."""
        if path == "/.well-known/openid-configuration" and path not in self.answers:
            names = ("authorization", "token", "device_authorization", "revocation", "userinfo")
            return {
                "issuer": self.issuer,
                "jwks_uri": f"{self.issuer}/jwks",
                **{f"{name}_endpoint": f"{self.issuer}/{name}" for name in names},
            }
        if path == "/jwks" and path not in self.answers:
            return {"keys": [self.key.as_dict(private=False), {"kty": "oct", "k": "c2VjcmV0", "kid": "two"}]}
        if path == "/device_authorization" and path not in self.answers:
            return {
                "device_code": "d" * 40, "user_code": "ABCD-EFGH", "verification_uri": f"{self.issuer}/device", "interval": 0
            }  # fmt: skip
        script = self.answers.get(path, [(404, {})])
        return script.pop(0) if len(script) > 1 else script[0]


@contextmanager
def running() -> Iterator[ScriptedProvider]:
    """Run a scripted provider until the end."""
    provider = ScriptedProvider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            self._answer({name: values[0] for name, values in parse_qs(body).items()})

        def _answer(self, form: dict[str, str]) -> None:
            path = self.path.partition("?")[0]
            provider.asked.append((path, form))
            answer = provider.answer(path)
            if callable(answer):
                answer(self)
                return
            status, document = answer if isinstance(answer, tuple) else (200, answer)
            text = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
