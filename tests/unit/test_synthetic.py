"""Made-up customers: the same for the same seed, valid, unique, and nobody's."""

from __future__ import annotations

from itertools import islice

import pytest

from custctl.customers.emails import validate_email
from custctl.customers.model import EDITABLE, STATUSES
from custctl.customers.rules import validate
from custctl.customers.synthetic import MAX_SEED, _pools, synthetic_customers
from custctl.support.errors import UsageError

RESERVED = ("example.com", "example.net", "example.org")


def test_the_same_seed_gives_the_same_rows_whatever_the_count() -> None:
    hundred, two_hundred = list(synthetic_customers(100, 42)), list(synthetic_customers(200, 42))
    assert two_hundred[:100] == hundred
    assert list(islice(synthetic_customers(10**12, 42), 200)) == two_hundred


def test_every_row_is_valid_and_already_in_the_form_that_is_kept() -> None:
    for row in synthetic_customers(5_000, 7):
        assert validate(row, partial=False) == row
        assert tuple(row) == EDITABLE


def test_the_longest_address_is_valid() -> None:
    address = f"customer.{MAX_SEED:x}.{10**9:x}@mail.example"
    assert validate_email(address) == address


def test_every_word_is_valid() -> None:
    for pool in _pools():
        for first_name in (*pool.first_names, *pool.last_names):
            assert validate({"first_name": first_name, "company": f"{first_name} {pool.legal_form}"}, partial=True)
        words = {
            "address_line": pool.streets,
            "city": pool.cities,
            "region": pool.regions,
            "postal_code": pool.postal_codes,
            "country": (pool.country,),
        }
        for field, values in words.items():
            assert values
            for value in values:
                assert validate({field: value}, partial=True) == {field: value}


def test_addresses_are_unique_across_rows_and_seeds() -> None:
    addresses = [row["email"] for seed in range(20) for row in synthetic_customers(1_000, seed)]
    assert len(set(addresses)) == len(addresses)


def test_no_address_is_in_a_real_domain() -> None:
    for row in synthetic_customers(2_000, 3):
        domain = str(row["email"]).rpartition("@")[2]
        assert domain in RESERVED or domain.endswith((".example", ".test"))


def test_rows_vary_as_real_ones_do() -> None:
    rows = list(synthetic_customers(2_000, 1))
    assert {row["status"] for row in rows} == set(STATUSES)
    for field in ("phone", "company", "address_line", "region"):
        missing = sum(row[field] is None for row in rows)
        assert 0 < missing < len(rows)
    assert any(not str(row["last_name"]).isascii() for row in rows)
    assert all("#" not in str(row["phone"]) for row in rows)


@pytest.mark.parametrize(("count", "seed"), [(-1, 0), (1, -1), (1, MAX_SEED + 1)])
def test_arguments_out_of_range_are_refused_at_once(count: int, seed: int) -> None:
    with pytest.raises(UsageError, match="must"):
        synthetic_customers(count, seed)


def test_none_are_none() -> None:
    assert list(synthetic_customers(0, 0)) == []
