"""E-mail addresses: which are valid, and the one form for storing and looking up each.

The form is lower-cased and in NFC, the domain in Unicode: `Ada@XN--MNCHEN-3YA.de` and `ada@münchen.de` are one address.
The email-validator library decides validity (RFC 5321, 5322 and 6531, IDNA 2008), without a network look-up. It takes
tens of microseconds per address and tens of milliseconds to import, so a pattern runs before it: it accepts only plain
addresses, and those exactly as the library does.
"""

from __future__ import annotations

import re
from functools import cache

from custctl.customers.model import MAX_LENGTH
from custctl.support.patterns import compiled

_ATOM = r"[a-zA-Z0-9_!#$%&'*+\-/=?^`{|}~]++"
PLAIN_ADDRESS = (
    # RFC 5322's dot-atom, at most RFC 5321's 64 octets.
    rf"(?=[^@\n]{{1,64}}@){_ATOM}(?:\.{_ATOM})*+@"
    # Labels of at most 63 octets. Two hyphens in a row are left to the library: punycode and reserved labels have them.
    r"(?:(?![a-zA-Z0-9-]{64})[a-zA-Z0-9]++(?:-[a-zA-Z0-9]++)*+\.)++"
    # Special-use names are left to the library too.
    r"(?!(?i:arpa|invalid|local|localhost|onion)(?![a-zA-Z]))[a-zA-Z]{2,63}+"
)
"""An address that is surely valid unless it is too long as a whole. Possessive throughout: it fails in linear time."""


@cache
def _plain() -> re.Pattern[str]:
    return compiled(PLAIN_ADDRESS)


def validate_email(raw: str) -> str:
    """Return an address in its stored form: lower-cased, in NFC, the domain in Unicode.

    Names that RFC 6761 reserves for tests and examples (`.test`, `.example`, `.invalid`) are accepted.

    Raises:
        ValueError: it is not an address; the message says why and begins in lower case.
    """
    if raw.isascii():
        text = raw.strip()
        if len(text) <= MAX_LENGTH["email"] and _plain().fullmatch(text):
            return text.lower()
    else:
        import unicodedata

        text = unicodedata.normalize("NFC", raw).strip()
    return _judged(text)


def normalise_email(raw: str) -> str:
    """Return the form for looking up an address: the result of `validate_email` if it is valid.

    Text that is not an address is only lower-cased: it will not be found.
    """
    if raw.isascii():
        text = raw.strip().lower()
        if "xn--" not in text:
            return text
    else:
        import unicodedata

        text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", raw).strip().lower())
        domain = text.rpartition("@")[2]
        if domain.isascii() and "xn--" not in domain:
            return text
    try:
        return _judged(text)
    except ValueError:
        return text


def _judged(text: str) -> str:
    """Ask the library; `text` is trimmed and in NFC."""
    limit = MAX_LENGTH["email"]
    # Check before calling the library: some of its steps take quadratic time.
    if len(text) > limit:
        raise ValueError(f"it has {len(text)} characters, {limit} are allowed")

    import unicodedata

    from email_validator import EmailNotValidError
    from email_validator import validate_email as judge

    # The library always refuses `.invalid`; `.example` has the same length, is reserved too, and is accepted.
    invalid = text[-8:].lower() == ".invalid"
    try:
        found = judge(
            text[:-8] + ".example" if invalid else text,
            check_deliverability=False,
            allow_smtputf8=True,
            allow_quoted_local=False,
            allow_domain_literal=False,
            allow_display_name=False,
            test_environment=True,
        )
    except EmailNotValidError as error:
        reason = str(error).rstrip(".")
        raise ValueError(reason[:1].lower() + reason[1:]) from None
    domain = found.domain[:-8] + ".invalid" if invalid else found.domain
    if "." not in domain:
        raise ValueError("the part after the `@` has no period")
    # Lower-casing can undo NFC (J and a caron are two characters, ǰ is one) and can lengthen the text (İ).
    address = unicodedata.normalize("NFC", f"{found.local_part}@{domain}".lower())
    if len(address) > limit:
        raise ValueError(f"it has {len(address)} characters in lower case, {limit} are allowed")
    return address
