"""The content of an entry: a row as bytes, with a version that can be compared as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from custctl.customers.model import FIELDS, Customer
from custctl.customers.versions import Version
from custctl.engines import version_rank
from custctl.support import exact_json
from custctl.support.errors import UsageError

_FORM = 3
_OPTIONAL = frozenset({"phone", "company", "address_line", "city", "region", "postal_code", "country"})


class Sealer(Protocol):
    """Encrypts entries."""

    def seal(self, data: bytes, place: bytes) -> bytes:
        """Return the data encrypted; it can be decrypted only at `place`, where it is stored."""

    def open(self, data: bytes, place: bytes) -> bytes | None:
        """Return the data, or None if it was sealed with another key or for another place, or was changed."""


def version_key(engine: str, version: str) -> str:
    """Return a version as text that sorts as versions do: epoch and counter, 16 hexadecimal digits each.

    Text, because Lua's numbers are exact only up to 2^53.
    """
    found = Version.parse(version)
    return f"{epoch_key(found.epoch)}.{version_rank(engine, found.row):016x}"


def epoch_key(epoch: int) -> str:
    """Return an epoch as the prefix of a version's key."""
    return f"{epoch:016x}"


def pack(row: Customer, place: bytes, sealer: Sealer | None) -> bytes:
    """Return a row in its stored form."""
    ours = [getattr(row, name) for name in FIELDS]
    texts = [name for name, value in row.own.items() if isinstance(value, exact_json.Text)]
    data = exact_json.dumps([_FORM, *ours, dict(row.own), texts], separators=(",", ":")).encode()
    return sealer.seal(data, place) if sealer is not None else data


def unpack(data: bytes, place: bytes, sealer: Sealer | None) -> Customer | None:
    """Return the row of an entry; None if the entry is not ours or was tampered with."""
    if sealer is not None:
        opened = sealer.open(data, place)
        if opened is None:
            return None
        data = opened
    try:
        held = exact_json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(held, list) or len(held) != len(FIELDS) + 3 or held[0] != _FORM:
        return None
    *held, own, texts = held
    values = dict(zip(FIELDS, held[1:], strict=True))
    if not _is_row(values) or not isinstance(own, dict) or not isinstance(texts, list):
        return None
    return Customer(
        **values, own={name: exact_json.Text(value) if name in texts else value for name, value in own.items()}
    )


def _is_row(values: Mapping[str, Any]) -> bool:
    for name, value in values.items():
        if name == "id":
            if type(value) is not int:
                return False
        elif not isinstance(value, str) and not (value is None and name in _OPTIONAL):
            return False
    try:
        Version.parse(values["version"])
    except UsageError:
        return False
    return True
