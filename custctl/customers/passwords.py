"""Customers' passwords: the rules, and the hashing.

Hashing is argon2id with RFC 9106's second recommended (low-memory) parameters: 64 MiB, 3 passes, 4 lanes. No error ever
contains a password or a hash.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from itertools import permutations
from typing import TYPE_CHECKING, Final

from custctl.support.errors import CustctlError, InvalidError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

# NIST SP 800-63B and OWASP ASVS 5.0 (6.2.1): at least 8, and at least 64 must be allowed. The upper bound is ours: it
# prevents hashing a whole file by mistake.
MIN_LENGTH: Final = 8
MAX_LENGTH: Final = 256
"""Bounds in characters (code points) after `prepare`."""


def prepare(password: str) -> str:
    """Return the form to hash, so that the same password typed on two keyboards is the same.

    Source: RFC 8265, OpaqueString: NFC, every other space becomes U+0020, case and blanks at the ends are kept.
    """
    if password.isascii():
        return password
    import unicodedata

    spaced = "".join(" " if unicodedata.category(char) == "Zs" else char for char in password)
    return unicodedata.normalize("NFC", spaced)


def check_password_rules(password: str, context: Iterable[str | None] = ()) -> None:
    """Check a new password.

    Args:
        context: what is easy to guess about its owner: e-mail address, names, company.

    Raises:
        InvalidError: names every rule that is broken, never the password.
    """
    text = prepare(password)
    reasons = []
    if len(text) < MIN_LENGTH:
        reasons.append(f"has fewer than {MIN_LENGTH} characters")
    if len(text) > MAX_LENGTH:
        reasons.append(f"has more than {MAX_LENGTH} characters")
    if any(char < " " or "\x7f" <= char <= "\x9f" or "\ud800" <= char <= "\udfff" for char in text):
        reasons.append("contains a control character or invalid text")
    if text.casefold() in _common():
        reasons.append("is one of the most common passwords")
    if _bare(text) in _guessable(context):
        reasons.append("is the customer's name, company or address")
    if reasons:
        message = "the password " + " and ".join(reasons)
        hint = "use three or four unrelated words"
        raise InvalidError(message, hint=hint, details={"fields": {"password": "; ".join(reasons)}})


def hash_password(password: str) -> str:
    """Return the argon2id hash in PHC form, with its own salt and parameters.

    Raises:
        InvalidError: the password cannot be encoded.
        CustctlError: this machine lacks the memory.
    """
    from argon2.exceptions import HashingError

    try:
        return _hasher().hash(_encoded(password))
    except HashingError:
        raise CustctlError("the password could not be hashed", hint="it needs 64 MiB of free memory") from None


def verify(stored: str, password: str) -> bool:
    """Return whether `stored` was made from this password, in constant time.

    Raises:
        CustctlError: `stored` is not an argon2 hash, or this machine cannot compute it.
    """
    from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

    try:
        return _hasher().verify(stored, _encoded(password))
    except (VerifyMismatchError, InvalidError):
        return False
    except (InvalidHashError, VerificationError, UnicodeEncodeError):
        raise _unreadable() from None


def needs_rehash(stored: str) -> bool:
    """Return whether `stored` was made with other parameters than `hash_password` uses now.

    Raises:
        CustctlError: `stored` is not an argon2 hash.
    """
    from argon2.exceptions import InvalidHashError

    try:
        return _hasher().check_needs_rehash(stored)
    except (InvalidHashError, ValueError):
        raise _unreadable() from None


def verify_customer(stored: str | None, password: str) -> str | None:
    """Check a password against a customer's stored hash.

    Returns:
        A new hash to store if the old one was made with other parameters, else None.

    Raises:
        InvalidError: the password does not match, or none is set.
    """
    if stored is None:
        # As slow as a real check: the time must not reveal who has a password.
        hash_password(password)
        raise InvalidError("no password is set in this database", hint="an identity provider may store it")
    if not verify(stored, password):
        raise InvalidError("the password does not match")
    return hash_password(password) if needs_rehash(stored) else None


def _unreadable() -> CustctlError:
    return CustctlError("the stored password hash cannot be read", hint="set the customer's password again")


def _encoded(password: str) -> bytes:
    text = prepare(password)
    # Checked first: an encoding error would carry the password in its context.
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise InvalidError("the password is not valid text", hint="type it in UTF-8")
    return text.encode()


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher
    from argon2.profiles import RFC_9106_LOW_MEMORY

    return PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)


@cache
def _common() -> frozenset[str]:
    """The 30,000 most common passwords of zxcvbn's list, case-folded."""
    # The package has no type information; stubs for it may be installed or not.
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # type: ignore[import-untyped, unused-ignore]

    return frozenset(word.casefold() for word in FREQUENCY_LISTS["passwords"])


def _bare(text: str) -> str:
    """Letters and digits only, case-folded: `Ada-Lovelace` is no better than `adalovelace`."""
    return "".join(char for char in text.casefold() if char.isalnum())


def _guessable(context: Iterable[str | None]) -> frozenset[str]:
    """First guesses: each word of the context, an address's local part, and any two of them together."""
    words: list[str] = []
    for item in context:
        if item:
            words += [item, item.rpartition("@")[0]]
    bare = {_bare(prepare(word)) for word in words} - {""}
    return frozenset(bare | {first + second for first, second in permutations(bare, 2)})
