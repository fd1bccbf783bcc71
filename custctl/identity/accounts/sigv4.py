"""AWS Signature Version 4 for requests with a body to the root of a service.

botocore's signer does the same, but importing its client takes as long as starting Python sixteen times. Source:
https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Keys:
    """An AWS credential.

    Attributes:
        access: the access key id, which is not a secret.
        secret: the secret access key.
        token: the session token of a temporary credential.
    """

    access: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


def signed(
    host: str, headers: Mapping[str, str], body: bytes, keys: Keys, *, region: str, service: str, now: datetime
) -> dict[str, str]:
    """Return the headers of a signed `POST /`.

    Args:
        host: the value of the `Host` header; with the port if it is not the scheme's default.
        headers: other headers to sign.
        body: the request's body.
        now: the time in UTC; AWS accepts a signature for five minutes.
    """
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    sent = {**headers, "X-Amz-Date": stamp}
    if keys.token:
        sent["X-Amz-Security-Token"] = keys.token
    lines = {name.lower(): " ".join(value.split()) for name, value in {**sent, "Host": host}.items()}
    names = ";".join(sorted(lines))
    listed = "".join(f"{name}:{lines[name]}\n" for name in sorted(lines))
    request = "\n".join(("POST", "/", "", listed, names, hashlib.sha256(body).hexdigest()))
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = "\n".join((_ALGORITHM, stamp, scope, hashlib.sha256(request.encode()).hexdigest()))
    key = f"AWS4{keys.secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    proof = f"{_ALGORITHM} Credential={keys.access}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**sent, "Authorization": proof}
