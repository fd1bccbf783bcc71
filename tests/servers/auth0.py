"""A stand-in for Auth0: its login and its Management API, as far as custctl uses them, by Auth0's documentation.

No Auth0 can be had. That this answers as it would is judged by Auth0's own client, in tests/providers/test_auth0.py.
Source: https://auth0.com/docs/api/management/v2 and
https://auth0.com/docs/manage-users/user-migration/bulk-user-import-database-schema-and-examples
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import unquote

from tests.servers.standins import Answer, Request, StandIn

CLIENT, SECRET = "custctl-client", "s3cret-of-the-client"
DOMAIN = "tenant.example.auth0.com"
CONNECTION = "Username-Password-Authentication"
_PHC = re.compile(r"\$argon2(?:id|i|d)\$v=19\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+")
_RANGE = re.compile(r'identities\.connection:"((?:[^"\\]|\\.)*)" AND created_at:\[(\*|"[^"]*") TO \*\]')


@dataclass
class Job:
    """A bulk import."""

    id: str
    summary: dict[str, int]
    errors: list[dict[str, Any]]
    looks: int = 0


@dataclass
class User:
    """A user as Auth0 shows it, and what it never shows."""

    shown: dict[str, Any]
    password: str | None = None
    hash: str | None = None


@dataclass
class _Tenant:
    users: dict[str, User] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    resets: list[str] = field(default_factory=list)
    clock: int = 0


class Auth0StandIn(StandIn):
    """A tenant with one database connection."""

    def __init__(self) -> None:
        super().__init__()
        self.tenant = _Tenant()
        self.scopes_missing = False
        self.pending_looks = 1
        """How often an import is pending when it is looked at."""

    @property
    def users(self) -> dict[str, User]:
        return self.tenant.users

    def expire_tokens(self) -> None:
        self.tenant.tokens.clear()

    def handle(self, request: Request) -> Answer:
        if request.path == "/oauth/token":
            return self._token(request)
        if request.path == "/dbconnections/change_password":
            return self._reset(request)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self.tenant.tokens:
            return _error(401, "Unauthorized", "Invalid token")
        if self.scopes_missing:
            return _error(403, "Forbidden", "Insufficient scope, expected any of: read:users")
        parts = [unquote(part) for part in request.path.removeprefix("/api/v2/").split("/")]
        match (request.method, *parts):
            case ("GET", "users"):
                return self._list(request)
            case ("POST", "users"):
                return self._create(request.json)
            case ("GET", "users", user_id):
                user = self.users.get(user_id)
                return Answer(200, user.shown) if user else _error(404, "Not Found", "The user does not exist.")
            case ("PATCH", "users", user_id):
                return self._patch(user_id, request.json)
            case ("DELETE", "users", user_id):
                self.users.pop(user_id, None)
                return Answer(204)
            case ("GET", "users-by-email"):
                email = request.query["email"]
                return Answer(200, [user.shown for user in self.users.values() if user.shown["email"] == email])
            case ("GET", "connections"):
                found = [{"id": "con_0000000000000001", "name": CONNECTION, "strategy": "auth0"}]
                found = [each for each in found if each["name"] == request.query.get("name", CONNECTION)]
                return Answer(200, {"connections": found} if "take" in request.query else found)
            case ("POST", "jobs", "users-imports"):
                return self._import(request)
            case ("GET", "jobs", job_id):
                return self._job(job_id)
            case ("GET", "jobs", job_id, "errors"):
                errors = self.tenant.jobs[job_id].errors
                return Answer(200, errors) if errors else Answer(204)
        return _error(404, "Not Found", "Not Found")

    def _token(self, request: Request) -> Answer:
        asked = request.json
        if (asked.get("client_id"), asked.get("client_secret")) != (CLIENT, SECRET):
            return Answer(401, {"error": "access_denied", "error_description": "Unauthorized"})
        if asked.get("audience") != f"https://{DOMAIN}/api/v2/" or asked.get("grant_type") != "client_credentials":
            return Answer(403, {"error": "access_denied", "error_description": "Service not found"})
        token = secrets.token_urlsafe(16)
        self.tenant.tokens.add(token)
        return Answer(200, {"access_token": token, "token_type": "Bearer", "expires_in": 86400})

    def _reset(self, request: Request) -> Answer:
        asked = request.json
        if asked.get("client_id") != CLIENT or asked.get("connection") != CONNECTION:
            return Answer(400, {"error": "invalid_request"})
        # It does not say whether there is such a user.
        self.tenant.resets.append(asked["email"])
        return Answer(200, b"We've just sent you an email to reset your password.")

    def _list(self, request: Request) -> Answer:
        size, page = int(request.query.get("per_page", 50)), int(request.query.get("page", 0))
        if size > 100:
            return _error(400, "Bad Request", "Query validation error: per_page is greater than 100")
        if (page + 1) * size > 1000:
            words = "You can only page through the first 1000 records. See https://auth0.com/docs/users/search/v3"
            return _error(400, "Bad Request", words)
        users = [user.shown for user in self.users.values()]
        if "q" in request.query:
            match = _RANGE.fullmatch(request.query["q"])
            if match is None or request.query.get("sort") != "created_at:1":
                return _error(400, "invalid_query_string", "invalid_query_string")
            since = match[2].strip('"')
            users = [user for user in users if since == "*" or user["created_at"] >= since]
            users = [user for user in users if user["identities"][0]["connection"] == match[1]]
            users.sort(key=lambda user: user["created_at"])
        found = users[page * size : (page + 1) * size]
        if "fields" in request.query:
            names = request.query["fields"].split(",")
            found = [{name: user[name] for name in names if name in user} for user in found]
        if request.query.get("include_totals") == "true":
            return Answer(200, {"start": page * size, "limit": size, "total": len(users), "users": found})
        return Answer(200, found)

    def _create(self, asked: dict[str, Any]) -> Answer:
        if not asked.get("password") or asked.get("connection") != CONNECTION:
            return _error(400, "Bad Request", "Payload validation error: 'Missing required property: password'")
        if any(asked.get(name) == "" for name in ("given_name", "family_name")):
            return _error(400, "Bad Request", "Payload validation error: 'String is too short (0 chars), minimum 1'")
        if self._taken(asked):
            return _error(409, "Conflict", "The user already exists.")
        user = self._add(asked)
        user.password = asked["password"]
        return Answer(201, user.shown)

    def _taken(self, asked: dict[str, Any]) -> bool:
        email = asked["email"].lower()
        by_email = any(user.shown["email"] == email for user in self.users.values())
        return by_email or f"auth0|{asked.get('user_id')}" in self.users

    def _add(self, asked: dict[str, Any]) -> User:
        name = asked.get("user_id") or secrets.token_hex(12)
        subject = f"auth0|{name}"
        self.tenant.clock += 1
        seconds, milliseconds = divmod(self.tenant.clock, 1000)
        created = f"2026-11-01T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{milliseconds:03}Z"
        kept = ("email_verified", "given_name", "family_name", "app_metadata", "blocked")
        identity = {"connection": CONNECTION, "user_id": name, "provider": "auth0", "isSocial": False}
        shown = {
            "user_id": subject,
            "email": asked["email"].lower(),
            "created_at": created,
            "updated_at": created,
            "name": asked["email"],
            "identities": [identity],
            **{key: asked[key] for key in kept if key in asked},
        }
        self.users[subject] = User(shown)
        return self.users[subject]

    def _patch(self, user_id: str, asked: dict[str, Any]) -> Answer:
        user = self.users.get(user_id)
        if user is None:
            return _error(404, "Not Found", "The user does not exist.")
        if "email" in asked and any(
            other.shown["email"] == asked["email"] for other in self.users.values() if other is not user
        ):
            words = "The specified new email already exists"
            return Answer(
                400, {"statusCode": 400, "error": "Bad Request", "message": words, "errorCode": "auth0_idp_error"}
            )
        if "password" in asked:
            if len(asked["password"]) < 8:
                return _error(400, "Bad Request", "PasswordStrengthError: Password is too weak")
            user.password, user.hash = asked["password"], None
        kept = ("email", "email_verified", "blocked", "app_metadata")
        user.shown.update({key: asked[key] for key in kept if key in asked})
        return Answer(200, user.shown)

    def _import(self, request: Request) -> Answer:
        if len(request.body) > 500_000:
            return _error(413, "Payload Too Large", "Payload content length greater than maximum allowed: 500000")
        if sum(1 for job in self.tenant.jobs.values() if job.looks < self.pending_looks) >= 2:
            words = "There are 2 active import users jobs, please wait until some of them are finished and try again"
            return _error(429, "Too Many Requests", words)
        form = _form(request)
        users = json.loads(form["users"])
        errors: list[dict[str, Any]] = []
        for asked in users:
            fault = self._import_one(asked)
            if fault is not None:
                code, message, path = fault
                errors.append({"user": asked, "errors": [{"code": code, "message": message, "path": path}]})
        job_id = f"job_{secrets.token_hex(8)}"
        inserted = len(users) - len(errors)
        summary = {"failed": len(errors), "updated": 0, "inserted": inserted, "total": len(users)}
        self.tenant.jobs[job_id] = Job(job_id, summary, errors)
        shown = {"type": "users_import", "status": "pending", "created_at": "2026-11-01T00:00:00.000Z", "id": job_id}
        return Answer(202, {**shown, "connection_id": form["connection_id"], "upsert": False})

    def _import_one(self, asked: dict[str, Any]) -> tuple[str, str, str] | None:
        hashed = asked.get("custom_password_hash")
        if hashed is not None:
            value = hashed.get("hash", {})
            if (
                hashed.get("algorithm") != "argon2"
                or set(value) != {"value", "encoding"}
                or value["encoding"] != "utf8"
            ):
                return "INVALID_FORMAT", "Should match the schema", "custom_password_hash"
            if not _PHC.fullmatch(value["value"]):
                return "INVALID_FORMAT", "Error in custom_password_hash property", "custom_password_hash.hash.value"
        if "@" not in asked["email"] or not asked["email"].isascii():
            return "OBJECT_DIDNT_PASS_VALIDATION_FORMAT", "Object didn't pass validation for format email", "email"
        if self._taken(asked):
            return "DUPLICATED_USER", f"User already exists on connection {CONNECTION}.", "user_id"
        self._add(asked).hash = hashed["hash"]["value"] if hashed else None
        return None

    def _job(self, job_id: str) -> Answer:
        job = self.tenant.jobs.get(job_id)
        if job is None:
            return _error(404, "Not Found", "The job doesn't exist.")
        job.looks += 1
        shown = {"type": "users_import", "id": job_id, "connection_id": "con_0000000000000001"}
        if job.looks <= self.pending_looks:
            return Answer(200, {**shown, "status": "pending"})
        return Answer(200, {**shown, "status": "completed", "summary": job.summary})


def _form(request: Request) -> dict[str, str]:
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    parts = BytesParser(policy=HTTP).parsebytes(head + request.body)
    found = {}
    for part in parts.iter_parts():
        name = str(part.get_param("name", header="content-disposition"))
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        found[name] = content.decode()
    return found


def _error(status: int, error: str, message: str) -> Answer:
    return Answer(status, {"statusCode": status, "error": error, "message": message})
