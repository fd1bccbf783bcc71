"""AWS tokens for databases of RDS or Aurora, which accept them instead of a password.

Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.Connecting.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from custctl.profiles.credentials import Secret
from custctl.support.errors import CredentialError, UsageError

_HOST = re.compile(r"\.([a-z]{2}(?:-[a-z]+)+-\d)\.rds\.amazonaws\.com(?:\.cn)?$")
_SECONDS = 900  # the maximum that AWS accepts


def rds_token(host: str, port: int, user: str, environ: Mapping[str, str]) -> Secret:
    """Return a token for a login, signed on this machine with a credential from botocore's chain.

    Raises:
        CredentialError: there is no AWS credential, or no region.
        UsageError: botocore is not installed.
    """
    try:
        from botocore.exceptions import BotoCoreError
        from botocore.model import ServiceId
        from botocore.session import get_session
        from botocore.signers import RequestSigner
    except ImportError:
        hint = "install it with `pip install 'custctl[aws]'`, or with `pipx inject custctl botocore`"
        raise UsageError("`auth: rds-iam` needs the package botocore, which is not installed", hint=hint) from None
    named = _HOST.search(host)
    try:
        session = get_session()
        region = named[1] if named else environ.get("AWS_REGION") or session.get_config_variable("region")
        credentials = session.get_credentials()
        if credentials is None:
            hint = "set `AWS_PROFILE`, run `aws configure` or `aws sso login`, or give this machine a role"
            raise CredentialError("no AWS credential was found", hint=hint)
        if not region:
            raise CredentialError(f"the AWS region of `{host}` is not known", hint="set `AWS_REGION`")
        signer = RequestSigner(
            ServiceId("rds"), region, "rds-db", "v4", credentials, session.get_component("event_emitter")
        )
        asked = {
            "method": "GET",
            "url": f"https://{host}:{port}/?Action=connect&DBUser={_quoted(user)}",
            "body": {},
            "headers": {},
            "context": {},
        }
        url = signer.generate_presigned_url(asked, operation_name="connect", expires_in=_SECONDS, region_name=region)
    except (BotoCoreError, OSError, ValueError) as error:
        raise CredentialError(
            f"the AWS credential cannot be used: {type(error).__name__}",
            hint="renew it, for example with `aws sso login`, or choose another with `AWS_PROFILE`",
        ) from None
    return Secret(url.removeprefix("https://"))


def _quoted(user: str) -> str:
    from urllib.parse import quote

    return quote(user, safe="")
