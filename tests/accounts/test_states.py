"""Whatever happens in whatever order, in the end each customer has exactly one account, in the right state.

The provider is a stand-in in memory, which fails as it is told: before it does a thing, or after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from custctl.customers.operations import new_operation_id
from custctl.customers.outbox import Outbox
from custctl.customers.store import CustomerStore
from custctl.identity.accounts.provider import (
    Abilities,
    Account,
    AccountMissingError,
    AccountTakenError,
    NewAccount,
    ProviderUnavailableError,
)
from custctl.identity.accounts.worker import Worker
from tests.accounts.test_life_cycle import make_due
from tests.behaviours.support import Place
from tests.conftest import make_project
from tests.servers.projects import on_engine


@dataclass
class StandIn:
    """A provider in memory. `faults` are used up one a call: `before` and `after` it is done, or `no` fault."""

    keeps_reference: bool
    faults: list[str] = field(default_factory=list)
    held: dict[str, Account] = field(default_factory=dict)
    made: int = 0
    name: str = "stand-in"

    def _call(self, work: Any) -> Any:
        fault = self.faults.pop(0) if self.faults else "no"
        if fault == "before":
            raise ProviderUnavailableError("down")
        found = work()
        if fault == "after":
            raise ProviderUnavailableError("the answer is lost")
        return found

    def abilities(self) -> Abilities:
        return Abilities(self.keeps_reference, sets_passwords=True, sends_resets=True, takes_hashes=False)

    def find(self, subject: str) -> Account | None:
        return self._call(lambda: self.held.get(subject))

    def find_by_email(self, email: str) -> Sequence[Account]:
        return self._call(lambda: [each for each in self.held.values() if each.email == email])

    def find_by_reference(self, reference: str) -> Sequence[Account]:
        return self._call(lambda: [each for each in self.held.values() if each.reference == reference])

    def create(self, account: NewAccount) -> Account:
        def create() -> Account:
            if any(each.email == account.email for each in self.held.values()):
                raise AccountTakenError("taken")
            self.made += 1
            reference = account.reference if self.keeps_reference else None
            made = Account(f"s{self.made}", account.email, account.enabled, reference)
            self.held[made.subject] = made
            return made

        return self._call(create)

    def _change(self, subject: str, **changes: Any) -> None:
        def change() -> None:
            if subject not in self.held:
                raise AccountMissingError("gone")
            self.held[subject] = replace(self.held[subject], **changes)

        self._call(change)

    def set_email(self, subject: str, email: str) -> None:
        self._change(subject, email=email)

    def set_enabled(self, subject: str, enabled: bool) -> None:
        self._change(subject, enabled=enabled)

    def delete(self, subject: str) -> None:
        self._call(lambda: self.held.pop(subject, None))

    def set_password(self, subject: str, password: str) -> None: ...

    def send_reset(self, subject: str) -> None: ...

    def pages(self, wait: Callable[[float], None]) -> Iterator[Sequence[Account]]:
        yield list(self.held.values())

    def close(self) -> None: ...


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    found = Place.of(on_engine(make_project(tmp_path_factory.mktemp("states")), None))
    found.ok("migrate")
    return found


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "email", "suspend", "activate", "delete", "sync"]),
        st.integers(0, 2),
        st.lists(st.sampled_from(["no", "no", "before", "after"]), max_size=6),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, keeps_reference=st.booleans())
def test_in_the_end_each_customer_has_one_account(
    place: Place, steps: list[tuple[str, int, list[str]]], keeps_reference: bool
) -> None:
    for table in ("customer_account_outbox", "customer_account", "customer"):
        place.sql(f"DELETE FROM {table}")
    database = place.open()
    provider = StandIn(keeps_reference)
    store = CustomerStore(database, "development", "tester", queue=Outbox())
    ids: dict[int, int] = {}
    try:
        for number, (what, which, faults) in enumerate(steps):
            operation = new_operation_id()
            if what == "add" and which not in ids:
                values = {"email": f"c{which}-{number}@example.com", "first_name": "F", "last_name": "L"}
                ids[which] = store.add(values, operation_id=operation).customer_id
            elif what == "delete" and which in ids:
                store.delete(str(ids.pop(which)), operation_id=operation)
            elif what in ("email", "suspend", "activate") and which in ids:
                changes = {
                    "email": {"email": f"c{which}-{number}@example.com"},
                    "suspend": {"status": "suspended"},
                    "activate": {"status": "active"},
                }[what]
                store.update(str(ids[which]), changes, operation_id=operation)
            provider.faults = faults
            make_due(place)
            Worker(database, "development", provider, disables=False).sync()
        provider.faults = []
        make_due(place)
        Worker(database, "development", provider, disables=False).sync()
        wanted = {row.email: row.status == "active" for row in map(store.get, map(str, ids.values()))}
    finally:
        database.close()
    assert {each.email: each.enabled for each in provider.held.values()} == wanted
    assert len(provider.held) == len(wanted)
    assert place.count("customer_account") == len(wanted)
    assert place.count("customer_account_outbox") == 0
