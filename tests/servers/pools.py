"""A stand-in for Cognito's user pools by AWS's documentation, in what moto takes more softly than AWS.

Names are folded, filters and limits are refused as documented, passwords are checked, a password is not reset before
there is one, and each request's signature is checked with botocore's own signer. Source:
https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/
"""
# Methods and arguments have the names of AWS's operations.
# ruff: noqa: N802, N803, N806

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.servers.standins import Answer, Request, StandIn

POOL = "eu-west-1_AbCdEfGhI"
ACCESS, SECRET, TOKEN = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "session/token+"
_SEARCHED = frozenset(
    ("username", "email", "phone_number", "name", "given_name", "family_name", "preferred_username")
) | {"cognito:user_status", "status", "sub"}


@dataclass
class User:
    """A user of the pool."""

    username: str
    attributes: dict[str, str]
    status: str = "FORCE_CHANGE_PASSWORD"
    enabled: bool = True
    password: str | None = None
    modified: float = 1.0

    def shown(self, key: str) -> dict[str, Any]:
        attributes = [{"Name": name, "Value": value} for name, value in self.attributes.items()]
        times = {"UserCreateDate": 1.0, "UserLastModifiedDate": self.modified}
        return {"Username": self.username, "Enabled": self.enabled, "UserStatus": self.status, key: attributes, **times}


@dataclass
class Pool:
    """How the pool is set up, and who is in it."""

    email_signs_in: bool = True
    email_is_alias: bool = False
    folds_case: bool = True
    has_reference: bool = True
    users: dict[str, User] = field(default_factory=dict)
    resets: list[str] = field(default_factory=list)


class _Refused(Exception):  # noqa: N818
    def __init__(self, kind: str, message: str = "") -> None:
        super().__init__(kind)
        self.kind = kind
        self.message = message


class PoolStandIn(StandIn):
    """One pool in eu-west-1."""

    def __init__(self, pool: Pool | None = None) -> None:
        super().__init__()
        self.pool = pool or Pool()

    @property
    def operations(self) -> list[str]:
        return [request.headers["x-amz-target"].partition(".")[2] for request in self.requests]

    def handle(self, request: Request) -> Answer:
        try:
            self._check_signature(request)
            asked = request.json
            if asked.pop("UserPoolId") != POOL:
                raise _Refused("ResourceNotFoundException", "User pool does not exist.")
            operation = request.headers["x-amz-target"].removeprefix("AWSCognitoIdentityProviderService.")
            return Answer(200, getattr(self, f"_{operation}")(**asked))
        except _Refused as refused:
            kind = f"com.amazonaws.cognito#{refused.kind}"
            return Answer(400, {"__type": kind, "message": refused.message}, {"x-amzn-ErrorType": refused.kind})

    def _check_signature(self, request: Request) -> None:
        proof = request.headers.get("authorization", "")
        names = re.search("SignedHeaders=([^,]*),", proof)
        if names is None or request.headers["x-amz-security-token"] != TOKEN:
            raise _Refused("UnrecognizedClientException", "The security token included in the request is invalid.")
        headers = {name: request.headers[name] for name in names[1].split(";")}
        stamp = headers.pop("x-amz-date")
        again = AWSRequest("POST", self.url + "/", headers=headers, data=request.body)
        again.context["timestamp"] = stamp
        signer = SigV4Auth(Credentials(ACCESS, SECRET, TOKEN), "cognito-idp", "eu-west-1")
        again.headers["X-Amz-Date"] = stamp
        text = signer.string_to_sign(again, signer.canonical_request(again))
        if not proof.endswith(f"Signature={signer.signature(text, again)}"):
            raise _Refused("InvalidSignatureException", "The request signature we calculated does not match")
        age = datetime.now(UTC) - datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if abs(age.total_seconds()) > 300:
            raise _Refused("InvalidSignatureException", "Signature expired")

    def _fold(self, text: str) -> str:
        return text.casefold() if self.pool.folds_case else text

    def _user(self, name: str) -> User:
        for user in self.pool.users.values():
            names = [user.username]
            if self.pool.email_signs_in or self.pool.email_is_alias:
                names.append(user.attributes.get("email", ""))
            if any(self._fold(each) == self._fold(name) for each in names):
                return user
        raise _Refused("UserNotFoundException", "User does not exist.")

    def _taken(self, email: str, but: User | None = None) -> bool:
        others = [user for user in self.pool.users.values() if user is not but]
        return any(self._fold(user.attributes.get("email", "")) == self._fold(email) for user in others)

    def _DescribeUserPool(self) -> dict[str, Any]:
        pool = self.pool
        found: dict[str, Any] = {"Id": POOL, "Policies": {"PasswordPolicy": {"MinimumLength": 52}}}
        found["SchemaAttributes"] = [{"Name": "sub"}, {"Name": "email"}]
        if pool.has_reference:
            found["SchemaAttributes"].append({"Name": "custom:custctl_reference"})
        if pool.email_signs_in:
            found["UsernameAttributes"] = ["email"]
        if pool.email_is_alias:
            found["AliasAttributes"] = ["email"]
        if pool.folds_case:
            found["UsernameConfiguration"] = {"CaseSensitive": False}
        return {"UserPool": found}

    def _AdminCreateUser(
        self, Username: str, UserAttributes: list[dict[str, str]], MessageAction: str = "", **other: Any
    ) -> dict[str, Any]:
        # Stealing the email of another account is one option away.
        assert not other, other
        assert MessageAction == "SUPPRESS"
        attributes = {each["Name"]: each["Value"] for each in UserAttributes}
        if any(name.startswith("custom:") for name in attributes) and not self.pool.has_reference:
            raise _Refused("InvalidParameterException", "Type for attribute {custom} could not be determined")
        subject = str(uuid.uuid4())
        if self.pool.email_signs_in:
            if "@" not in Username:
                raise _Refused("InvalidParameterException", "Username should be an email.")
            if self._taken(Username):
                raise _Refused("UsernameExistsException", "An account with the given email already exists.")
            Username = subject
        elif any(self._fold(user.username) == self._fold(Username) for user in self.pool.users.values()):
            raise _Refused("UsernameExistsException", "User account already exists")
        elif self.pool.email_is_alias and self._taken(attributes["email"]):
            raise _Refused("AliasExistsException", "An account with the email already exists.")
        user = User(Username, {"sub": subject, **attributes})
        self.pool.users[Username] = user
        return {"User": user.shown("Attributes")}

    def _AdminGetUser(self, Username: str) -> dict[str, Any]:
        return self._user(Username).shown("UserAttributes")

    def _AdminEnableUser(self, Username: str) -> dict[str, Any]:
        self._user(Username).enabled = True
        return {}

    def _AdminDisableUser(self, Username: str) -> dict[str, Any]:
        self._user(Username).enabled = False
        return {}

    def _AdminDeleteUser(self, Username: str) -> dict[str, Any]:
        del self.pool.users[self._user(Username).username]
        return {}

    def _AdminUpdateUserAttributes(self, Username: str, UserAttributes: list[dict[str, str]]) -> dict[str, Any]:
        user = self._user(Username)
        attributes = {each["Name"]: each["Value"] for each in UserAttributes}
        named = self.pool.email_signs_in or self.pool.email_is_alias
        if named and "email" in attributes and self._taken(attributes["email"], user):
            raise _Refused("AliasExistsException", "An account with the given email already exists.")
        user.attributes.update(attributes)
        return {}

    def _AdminSetUserPassword(self, Username: str, Password: str, Permanent: bool) -> dict[str, Any]:
        user = self._user(Username)
        if Password != Password.strip():
            words = "1 validation error detected: Value at 'password' failed to satisfy constraint"
            raise _Refused("InvalidParameterException", words)
        if len(Password) < 52 or not re.search("[0-9]", Password):
            words = "Password did not conform with policy: Password must have numeric characters"
            raise _Refused("InvalidPasswordException", words)
        assert Permanent
        user.password, user.status, user.modified = Password, "CONFIRMED", user.modified + 1
        return {}

    def _AdminResetUserPassword(self, Username: str) -> dict[str, Any]:
        user = self._user(Username)
        if user.status not in ("CONFIRMED", "RESET_REQUIRED"):
            raise _Refused("NotAuthorizedException", "User password cannot be reset in the current state.")
        if user.attributes.get("email_verified") != "true":
            words = "Cannot reset password for the user as there is no registered/verified email or phone_number"
            raise _Refused("InvalidParameterException", words)
        user.status = "RESET_REQUIRED"
        self.pool.resets.append(user.attributes["email"])
        return {}

    def _ListUsers(self, Limit: int = 60, Filter: str = "", PaginationToken: str | None = None) -> dict[str, Any]:
        if not 0 <= Limit <= 60:
            raise _Refused("InvalidParameterException", "1 validation error detected: Value at 'limit' failed")
        users = list(self.pool.users.values())
        if Filter:
            match = re.fullmatch(r'([\w:]+) (=|\^=) "((?:[^"\\]|\\.)*)"', Filter)
            if match is None or match[1] not in _SEARCHED:
                raise _Refused("InvalidParameterException", "Error while parsing filter.")
            value = re.sub(r"\\(.)", r"\1", match[3])
            users = [user for user in users if {"username": user.username, **user.attributes}.get(match[1]) == value]
        first = int(PaginationToken or 0)
        found: dict[str, Any] = {"Users": [user.shown("Attributes") for user in users[first : first + Limit]]}
        if first + Limit < len(users):
            found["PaginationToken"] = str(first + Limit)
        return found
