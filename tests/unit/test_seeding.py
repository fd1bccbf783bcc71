"""Which sets go where: the profile and the environment are both asked, and test data stays out of production."""

from __future__ import annotations

from itertools import product

import pytest

from custctl.migrations.seeding import EVERYWHERE, choose_sets, refuse_synthetic
from custctl.support.errors import CustctlError, RefusedError, UsageError

ENVIRONMENTS = ("development", "test", "staging", "production")
TEST_ENVIRONMENTS = ENVIRONMENTS[:2]


def choose(asked: tuple[str, ...], allowed: tuple[str, ...], environment: str) -> list[str]:
    available = ("demo", "load", "reference")
    return choose_sets(asked, allowed=allowed, available=available, environment=environment, profile="mine")


@pytest.mark.parametrize(
    ("environment", "allowed", "asked"),
    list(
        product(
            ENVIRONMENTS,
            [(), ("reference",), ("reference", "demo"), ("demo",), ("demo", "load")],
            [(), ("reference",), ("demo",), ("load",), ("reference", "demo")],
        )
    ),
)
def test_a_set_goes_in_only_where_profile_and_environment_both_take_it(
    environment: str, allowed: tuple[str, ...], asked: tuple[str, ...]
) -> None:
    wanted = asked or allowed
    fine = all(name in allowed and (name == EVERYWHERE or environment in TEST_ENVIRONMENTS) for name in wanted)
    if fine:
        assert choose(asked, allowed, environment) == list(wanted)
    else:
        with pytest.raises(RefusedError):
            choose(asked, allowed, environment)


@pytest.mark.parametrize("environment", ["", "Production", "prod", "dev", "unknown", "none"])
def test_an_environment_that_is_not_known_takes_no_test_data(environment: str) -> None:
    with pytest.raises(RefusedError):
        choose(("demo",), ("demo",), environment)
    with pytest.raises(RefusedError):
        refuse_synthetic(environment)
    assert choose(("reference",), ("reference",), environment) == ["reference"]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_synthetic_customers_are_test_data(environment: str) -> None:
    if environment in TEST_ENVIRONMENTS:
        refuse_synthetic(environment)
    else:
        with pytest.raises(RefusedError, match="synthetic customers are test data"):
            refuse_synthetic(environment)


def test_a_set_that_is_not_there_is_told_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="there is no set `dmeo`") as caught:
        choose(("dmeo",), ("demo",), "test")
    assert caught.value.hint == "did you mean `demo`?"
    with pytest.raises(UsageError) as caught:
        choose(("xyz",), ("demo",), "test")
    assert caught.value.hint == "sets: demo, load, reference"


def test_a_set_of_the_profile_without_a_folder_is_told() -> None:
    for asked in ((), ("gone",)):
        with pytest.raises(UsageError, match="the set `gone` has no folder"):
            choose(asked, ("gone", "reference"), "test")


def test_in_production_a_set_that_is_not_there_is_an_error_too() -> None:
    for asked in (("gone",), ("reference", "gone")):
        with pytest.raises(CustctlError):
            choose(asked, ("reference",), "production")


def test_a_set_that_is_named_twice_is_one() -> None:
    assert choose(("demo", "reference", "demo"), ("reference", "demo"), "test") == ["demo", "reference"]


def test_nothing_allowed_is_nothing_to_do() -> None:
    assert choose((), (), "production") == []
