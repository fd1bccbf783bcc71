"""The table of the drivers that keep replicas names what profiles may name, and each entry can be loaded."""

from __future__ import annotations

import importlib

from custctl.profiles.model import Driver as Named
from custctl.replication.driver import Driver
from custctl.replication.opening import DRIVERS


def test_each_driver_of_a_profile_is_in_the_table() -> None:
    assert set(DRIVERS) == {str(name) for name in Named} - {"none"}


def test_each_entry_is_a_driver_of_that_name() -> None:
    for name, place in DRIVERS.items():
        module, attribute = place.split(":")
        found = getattr(importlib.import_module(module), attribute)
        assert issubclass(found, Driver)
        assert found.name == name
