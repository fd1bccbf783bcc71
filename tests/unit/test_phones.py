"""Which phones a search finds, by what people type of them."""

from __future__ import annotations

import json

import pytest

from custctl.customers import loosely
from custctl.customers.searching import read
from custctl.engines.sought import Need
from custctl.engines.sqlite.lanes import lane
from tests import searches


def finds(needs: tuple[Need, ...], phone: str) -> bool:
    return lane(json.dumps(needs), None, *searches.document({"phone": phone}), "") >= 0


LONDON = "+44 20 7946 0199"


@pytest.mark.parametrize(
    ("typed", "phone"),
    [
        # How it begins, with and without its country code.
        *((typed, LONDON) for typed in ("+44", "0044", "442", "4420794", "207", "0207", "0044 20", "020 79", "+44(0)2079")),
        # Its last digits, which may begin with zeros.
        *((typed, LONDON) for typed in ("0199", "60199", "946-0199")),
        ("0044", "+1 212 555 0044"),
        ("0199", "+442079460199"),
        # All of it, however it is grouped.
        *((typed, LONDON) for typed in ("+44 20 7946 0199", "00442079460199", "(020) 79 46 01 99", "+44 (0)20/7946-0199")),
        ("504871236", "+48 504 871 236"),
        # Stored without its country code.
        *((typed, "020 7946 0199") for typed in ("+44 20 7946 0199", "00442079460199")),
        ("+1 212 555 0137", "(212) 555-0137"),
        ("+353 20 913 0471", "020 913 0471"),
        ("+44 1234567", "123 4567"),
        # `8` is the national prefix of some countries.
        *((typed, phone) for typed in ("8 912 345 67 89", "89123456789") for phone in ("+7 912 345-67-89", "+375 912 3456789")),
        *((typed, "8 912 345-67-89") for typed in ("+7 912 345 67 89", "+7 9123456789", "00375 912 3456789")),
    ],
)  # fmt: skip
def test_a_phone_is_found_by_what_people_type_of_it(typed: str, phone: str) -> None:
    assert finds(read(typed), phone)


@pytest.mark.parametrize(
    ("typed", "phone"),
    [
        ("44", "+1 212 555 0144"),
        ("044", LONDON),
        ("199", LONDON),
        # The groups of another phone, in another order.
        ("20 7946 0199", "+44 20 0199 7946"),
        ("504 871 236", "+48 871 236 504"),
        # Another country, or a longer phone.
        (LONDON, "+49 20 7946 0199"),
        (LONDON, "+44 9 20 7946 0199"),
        ("+7 912 345 67 89", "1 8 912 345 67 89"),
        # A few digits are too few to be all of a phone but its country code.
        ("+44 123456", "123456"),
        # Only `8` is left out, and nothing behind it.
        ("8 912 345 67 89", LONDON),
        ("8 912 345 67 89", "+7 812 345 67 89"),
        ("7 912 345 67 89", "+44 912 345 67 89"),
    ],
)
def test_another_phone_is_not_found(typed: str, phone: str) -> None:
    assert not finds(read(typed), phone)


@pytest.mark.parametrize(
    ("typed", "phone", "strictly"),
    [
        # The groups of a phone with an extension, whose digits are not indexed as one number.
        ("+44 20 7946 0199", f"{LONDON} ext. 5", True),
        ("20 7946 0199", f"{LONDON} x5", False),
        ("020 7946 0199", f"{LONDON} Durchwahl 5", False),
        ("+44 20 79460199", "+44 20 79460199 poste 5", True),
        ("+49 30 23125 417", "+49 30 23125 417 Apparat 5", True),
        ("+44 20 7946 0199", "20 7946 0199 ext 5", True),
        ("+48 504 871 236", "504 871 236 ext. 7", True),
        ("00442079460199", f"{LONDON} ext. 5", False),
        ("00 442 079 40199", "+44 20 794 0199 ext. 5", False),
        ("01632960814", "01632 960814 ext 203", False),
    ],
)
def test_a_phone_with_an_extension_is_found_without_it(typed: str, phone: str, strictly: bool) -> None:
    assert finds(read(typed), phone) == strictly
    assert finds(loosely.read(typed), phone)
    assert not finds(loosely.read(typed[:-1]), phone)
