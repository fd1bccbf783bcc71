"""Signatures are those of botocore, AWS's own signer."""

from __future__ import annotations

from datetime import UTC, datetime

from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from custctl.identity.accounts.sigv4 import Keys, signed

_WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
_VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)


@given(
    body=st.binary(max_size=200),
    access=_WORDS,
    secret=_WORDS,
    token=st.none() | _WORDS,
    target=_VALUES,
    port=st.sampled_from(["", ":8443"]),
    region=st.sampled_from(["eu-west-1", "cn-north-1", "us-gov-west-1"]),
    now=st.integers(0, 2**32).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
)
def test_a_request_is_signed_as_botocore_signs_it(
    body: bytes,
    access: str,
    secret: str,
    token: str | None,
    target: str,
    port: str,
    region: str,
    now: datetime,
) -> None:
    host = f"cognito-idp.{region}.amazonaws.com{port}"
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target}
    ours = signed(host, headers, body, Keys(access, secret, token), region=region, service="cognito-idp", now=now)

    request = AWSRequest("POST", f"https://{host}/", headers=HTTPHeaders.from_dict(headers), data=body)
    # What `add_auth` does, but for its clock, which is another one in each release.
    signer = auth.SigV4Auth(Credentials(access, secret, token), "cognito-idp", region)
    request.context["timestamp"] = now.strftime(auth.SIGV4_TIMESTAMP)
    signer._modify_request_before_signing(request)
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    signer._inject_signature_to_request(request, signature)
    assert ours == dict(request.headers.items())


def test_a_credential_is_not_shown() -> None:
    assert "hidden" not in repr(Keys("AKIDEXAMPLE", "hidden", "hidden"))
