"""Made-up customers for development and tests, the same for the same seed.

Their e-mail and calls reach nobody: the addresses are in domains that RFC 2606 and RFC 6761 reserve, and the phone
numbers in ranges that the countries' regulators set aside for fiction (NANPA 555-01xx, Ofcom, ARCEP, Bundesnetzagentur,
PTS), or under +999, which the ITU has not assigned.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Final

from custctl.customers.model import MAX_LENGTH
from custctl.support.errors import UsageError

MAX_SEED: Final = 2**63 - 1

# Locale of mimesis, phone (each # is a digit), legal form. Several scripts, so that later stages meet them early.
_COUNTRIES: Final = (
    ("en", "+1 212 555 01##", "Inc."),
    ("en-gb", "+44 20 7946 0###", "Ltd"),
    ("de", "+49 30 23125 ###", "GmbH"),
    ("fr", "+33 1 99 00 ## ##", "SARL"),
    ("sv", "+46 8 465 004 ##", "AB"),
    ("es", "+999 ### ### ###", "S.L."),
    ("pt-br", "+999 ## #### ####", "Ltda."),
    ("pl", "+999 ### ### ###", "sp. z o.o."),
    ("cs", "+999 ### ### ###", "s.r.o."),
    ("tr", "+999 ### ### ## ##", "A.Ş."),
    ("el", "+999 ### ### ####", "Α.Ε."),
    ("ru", "+999 ### ###-##-##", "ООО"),
    ("ja", "+999 ## #### ####", "株式会社"),
)
_DOMAINS: Final = ("example.com", "example.net", "example.org", "mail.example", "post.test")
_WORDS_DRAWN: Final = 300


@dataclass(frozen=True, slots=True)
class _Pool:
    """The words of one country and one gender."""

    first_names: tuple[str, ...]
    last_names: tuple[str, ...]
    streets: tuple[str, ...]
    cities: tuple[str, ...]
    regions: tuple[str, ...]
    postal_codes: tuple[str, ...]
    country: str
    phone: str
    legal_form: str


def synthetic_customers(count: int, random_seed: int) -> Iterator[dict[str, str | None]]:
    """Return `count` customers as editable fields, all valid and each with a unique address.

    Row number i depends only on the seed and i, so a larger count begins with the rows of a smaller one. Different
    seeds never share an address.

    Args:
        count: how many, from 0.
        random_seed: from 0 to `MAX_SEED`.

    Raises:
        UsageError: an argument is out of range.
    """
    if count < 0:
        raise UsageError(f"the number of customers must not be negative, got {count}")
    if not 0 <= random_seed <= MAX_SEED:
        raise UsageError(f"the random seed must be from 0 to {MAX_SEED}, got {random_seed}")
    return _rows(count, random_seed)


def _rows(count: int, random_seed: int) -> Iterator[dict[str, str | None]]:
    from hashlib import blake2b
    from struct import Struct

    pools = _pools()
    # A digest per row instead of a generator's state: rows do not depend on those before, and every version of
    # Python draws the same. Sixteen numbers below 65,536 per row; the bias of a remainder does not matter here.
    unpack = Struct("<16H").unpack
    for number in range(count):
        digest = blake2b(b"%d:%d" % (random_seed, number), digest_size=32).digest()
        pool_n, first_n, last_n, domain_n, status_n, gaps, company_n, street_n, city_n, region_n, code_n, *digits = (
            unpack(digest)
        )
        pool = pools[pool_n % len(pools)]
        first_name = pool.first_names[first_n % len(pool.first_names)]
        last_name = pool.last_names[last_n % len(pool.last_names)]
        owner = pool.last_names[company_n % len(pool.last_names)]
        share = status_n % 100
        located = gaps % 8 != 0
        yield {
            # Without the names: another release of the word lists must not make a second customer with the same number.
            "email": f"customer.{random_seed:x}.{number:x}@{_DOMAINS[domain_n % len(_DOMAINS)]}",
            "first_name": first_name,
            "last_name": last_name,
            "phone": _phone(pool.phone, digits) if gaps & 0x300 else None,
            "company": f"{owner} {pool.legal_form}" if gaps & 0x400 else None,
            "address_line": pool.streets[street_n % len(pool.streets)] if located else None,
            "city": pool.cities[city_n % len(pool.cities)] if located else None,
            "region": pool.regions[region_n % len(pool.regions)] if located and gaps & 0x1800 else None,
            "postal_code": pool.postal_codes[code_n % len(pool.postal_codes)] if located else None,
            "country": pool.country,
            "status": "active" if share < 90 else "suspended" if share < 96 else "closed",
        }


def _phone(mask: str, numbers: list[int]) -> str:
    """Fill the mask with the digits of numbers below 65,536: nine from the first two together, one from the third."""
    digits = f"{(numbers[0] << 16 | numbers[1]) % 10**9:09d}{numbers[2] % 10}"
    head, *rest = mask.split("#")
    return head + "".join(digit + text for digit, text in zip(digits, rest, strict=False))


@cache
def _pools() -> tuple[_Pool, ...]:
    """Draw all words once. The seed is fixed: the user's seed only chooses among the words."""
    from mimesis import Address, Person
    from mimesis.enums import Gender
    from mimesis.locales import Locale

    pools = []
    for name, phone, legal_form in _COUNTRIES:
        person, address = Person(Locale(name), seed=1), Address(Locale(name), seed=1)
        streets = _draw(address.address, "address_line")
        cities = _draw(address.city, "city")
        regions = _draw(address.region, "region")
        codes = _draw(address.postal_code, "postal_code")
        country = address.default_country()
        for gender in (Gender.FEMALE, Gender.MALE):
            first_names = _draw(partial(person.first_name, gender=gender), "first_name")
            last_names = _draw(partial(person.last_name, gender=gender), "last_name")
            pools.append(
                _Pool(
                    first_names,
                    last_names,
                    streets,
                    cities,
                    regions,
                    codes,
                    country,
                    phone,
                    legal_form,
                )
            )
    return tuple(pools)


def _draw(word: Callable[[], str], field: str) -> tuple[str, ...]:
    """Return distinct words that are already in the field's stored form."""
    drawn = (unicodedata.normalize("NFC", word()).strip() for _ in range(_WORDS_DRAWN))
    return tuple(dict.fromkeys(text for text in drawn if text.isprintable() and 0 < len(text) <= MAX_LENGTH[field]))
