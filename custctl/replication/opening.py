"""Selects the driver that manages a profile's replicas: the only module that knows all drivers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from custctl.support.errors import RefusedError

if TYPE_CHECKING:
    from custctl.replication.driver import Driver
    from custctl.replication.nodes import Means

DRIVERS = {
    "streaming": "custctl.replication.streaming.driver:StreamingDriver",
    "patroni": "custctl.replication.patroni.driver:PatroniDriver",
    "availability-group": "custctl.replication.availability_group.driver:AvailabilityDriver",
}
"""The drivers, by the name used in a profile; each is imported when it is opened."""


@contextmanager
def opened(means: Means, *, changes: bool = False) -> Iterator[Driver]:
    """Open the driver that the profile names, for the block.

    Args:
        changes: whether the caller will change anything.

    Raises:
        RefusedError: the profile names no driver, or does not let it make changes.
    """
    found = DRIVERS.get(means.profile.database.replication.driver)
    if found is None:
        what = "sqlite has no replicas" if not means.profile.database.nodes else "it does not configure replication"
        raise RefusedError(
            f"profile `{means.profile.name}` has no replicas to manage: {what}",
            hint=f"`database.replication.driver` in the profile must be one of {', '.join(f'`{each}`' for each in DRIVERS)}",
        )
    module, name = found.split(":")
    driver: Driver = getattr(import_module(module), name)(means)
    with closing(driver):
        if changes:
            driver.require_permission()
        yield driver
