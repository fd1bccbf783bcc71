"""Erasure for a data subject's request: everything stored about a person is erased, or reported with why it stays."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from custctl.engines.model import Remains
from custctl.support.errors import (
    CustctlError,
    InterruptedRunError,
    NotFoundError,
    OutcomeUnknownError,
    UnavailableError,
    UsageError,
)
from custctl.support.lists import forget_lists
from custctl.support.unsaved import edits_of, forget_edits

if TYPE_CHECKING:
    from custctl.api.opened import Opened
    from custctl.customers.model import Customer
    from custctl.customers.operations import Outcome

_KEPT_FOR = 24 * 3600  # seconds for which an unfinished erasure is remembered
_PATIENCE = 2.0  # seconds to wait for another process

EVERYWHERE = (
    Remains("audit_facts", "the audit keeps a record of what was done, when and by whom, but no values"),
    Remains("your_files", "exports, rejects and the files that you imported: custctl does not know where they are"),
    Remains("other_machines", "texts that others typed in `customer edit` are kept on their machines for up to a day"),
)
"""What no erasure removes."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """What a request erased, and what stays.

    Attributes:
        erased_at: when the database erased it; ISO 8601 in UTC.
        erased_by: who erased it.
        entry_hash: the audit entry's hash; with it the chain proves the erasure.
        replayed: whether an earlier call had already erased it in the database.
        erased: how many items of each kind were erased.
        kept: what stays, and why.
    """

    customer_id: int
    request: str
    operation_id: str
    erased_at: str
    erased_by: str
    entry_hash: str
    environment: str
    database: str
    replayed: bool
    erased: Mapping[str, int]
    kept: Sequence[Remains]

    @property
    def failed(self) -> list[Remains]:
        """What should have been erased and could not be; repeating the request retries it."""
        return [each for each in self.kept if each.failed]

    def as_dict(self) -> dict[str, Any]:
        """Return the report as a record."""
        return {**asdict(self), "kept": [each._asdict() for each in self.kept], "complete": not self.failed}


class ErasureRequest:
    """A request to erase a person, which can be repeated after an interruption.

    Args:
        opened: the profile.
        who: the customer, by id or email.
        request: the reference of the data subject's request, which stays in the audit.
        operation_id: the UUID of the operation; None for that of the same unfinished request, or else a new one.

    Raises:
        NotFoundError: the id is larger than any customer's.
        UsageError: the reference cannot be recorded, or `who` is neither an id nor an email.
    """

    def __init__(self, opened: Opened, who: str, request: str, operation_id: str | None) -> None:
        from custctl.customers.erasure import check_request
        from custctl.customers.naming import NO_ID, not_found, parse_who
        from custctl.customers.operations import chosen_operation_id

        self._opened = opened
        self._named = parse_who(who)
        if self._named == NO_ID:
            raise not_found(who)
        self.request = check_request(request)
        self._begun = _Begun(opened)
        self._key = f"{self._named}\n{self.request}"
        self._earlier = self._begun.find(self._key)
        given = operation_id or (self._earlier[1] if self._earlier is not None else None)
        self.operation_id = chosen_operation_id(given)

    @cached_property
    def is_applied(self) -> bool:
        """Whether the database has already erased the customer under this operation."""
        return self._opened.store.is_applied(self.operation_id)

    @cached_property
    def customer(self) -> Customer | None:
        """The customer, or None if its row is gone."""
        if self._earlier is not None:
            return self._opened.store.find(str(self._earlier[0]))
        return self._opened.store.find(str(self._named))

    @property
    def customer_id(self) -> int:
        """The id of the customer to erase.

        Raises:
            NotFoundError: no customer has this email.
        """
        if self._earlier is not None:
            return self._earlier[0]
        if isinstance(self._named, int):
            return self._named
        if self.customer is not None:
            return self.customer.id
        if self.is_applied:
            return self._recorded()
        raise NotFoundError(
            f"there is no customer {self._named}",
            hint="the email of a deleted customer is erased: name it by its id, which `custctl audit list` shows",
        )

    def _recorded(self) -> int:
        from custctl.customers import audit

        with self._opened.database.reading() as connection:
            return int(audit.find_operation(connection, self.operation_id)[0].customer_id)

    def run(self) -> Erasure:
        """Erase the customer, and return the report.

        Raises:
            ConflictError: rows of other tables refer to the customer; nothing was erased.
            NotFoundError: there is no such customer and never was.
        """
        from custctl.customers.erasure import read_erasure

        number, database = self.customer_id, self._opened.database
        self._begun.begin(self._key, number, self.operation_id)
        # Before the row: after a kill in between, a retry can still name the customer.
        here = self._forget_here(number)
        try:
            outcome = self._opened.store.erase(str(number), request=self.request, operation_id=self.operation_id)
            found = read_erasure(database, self.operation_id, self.request)
        except CustctlError as error:
            # The request certainly failed: it need not be resumed.
            if not isinstance(error, UnavailableError | OutcomeUnknownError | InterruptedRunError):
                self._begun.end(self._key)
            raise
        here = [sum(both) for both in zip(here, self._forget_here(number), strict=True)]
        mirror = self._opened.mirror
        cached = {"cache": mirror.forgotten} if mirror is not None else {}
        in_scripts = "`{name}` holds the email, and the journal keeps the text that was applied"
        made = Erasure(
            customer_id=number,
            request=self.request,
            operation_id=self.operation_id,
            erased_at=found.erased_at,
            erased_by=found.erased_by,
            entry_hash=found.entry_hash,
            environment=self._opened.profile.environment,
            database=self._opened.profile.location,
            replayed=outcome.replayed,
            erased={**found.counts, **cached, "kept_edits": here[0], "list_positions": here[1]},
            kept=[
                *database.scrub(),
                *self._cache_failure(),
                *self._account(outcome),
                *(Remains("script", in_scripts.format(name=name)) for name in found.scripts),
                *database.remains(),
                *EVERYWHERE,
            ],
        )
        if not made.failed:
            self._begun.end(self._key)
        return made

    def _forget_here(self, customer_id: int) -> list[int]:
        """Remove a customer's data from this user's state folder; return the number of unsaved edits and of lists."""
        opened, edits = self._opened, 0
        with suppress(UsageError):  # no home folder, so nothing is kept
            edits = forget_edits(*edits_of(opened.environ, opened.profile.location, customer_id))
        return [edits, forget_lists(opened.environ, opened.profile.location)]

    def _cache_failure(self) -> list[Remains]:
        mirror = self._opened.mirror
        if mirror is None or mirror.problem is None:
            return []
        return [
            Remains("cache", f"the cache was not updated: {mirror.problem}; entries expire after a day", failed=True)
        ]

    def _account(self, outcome: Outcome) -> list[Remains]:
        """Remove the account at the identity provider, and return what stays there."""
        identity = self._opened.profile.identity
        if identity.is_local:
            return []
        from custctl.api.accounts import Accounts

        error = Accounts(self._opened).follow(outcome).account_error
        if error is not None:
            return [Remains("account", error.message, "custctl identity sync", failed=True)]
        if identity.on_delete == "disable":
            return [Remains("account", "its account at the identity provider is disabled: `on_delete: disable`")]
        return []


class _Begun:
    """Unfinished erasures of this user, by a salted digest of customer and request.

    The email is deleted with the row; a repeated command finds the customer's id here.
    """

    def __init__(self, opened: Opened) -> None:
        from custctl.support.state import state_file

        self._path: Path | None = None
        with suppress(UsageError):  # no home folder
            self._path = state_file(opened.profile.name, opened.profile.location, opened.environ, "erasing.json")

    def find(self, key: str) -> tuple[int, str] | None:
        """Return the customer's id and the operation of an unfinished request, or None."""
        held = self._read()
        found = held["begun"].get(_digest(held["salt"], key))
        return (int(found[0]), str(found[1])) if found is not None else None

    def begin(self, key: str, customer_id: int, operation_id: str) -> None:
        """Remember a request."""

        def add(held: dict[str, Any]) -> None:
            held["begun"][_digest(held["salt"], key)] = [customer_id, operation_id, time.time()]

        self._change(add)

    def end(self, key: str) -> None:
        """Forget a request."""
        self._change(lambda held: held["begun"].pop(_digest(held["salt"], key), None))

    def _change(self, edit: Callable[[dict[str, Any]], object]) -> None:
        from custctl.support.state import locked, write_whole

        if self._path is None:
            return
        # A failure to remember must not prevent the erasure.
        with suppress(OSError), locked(self._path, _PATIENCE):
            held = self._read()
            edit(held)
            if held["begun"]:
                write_whole(self._path, json.dumps(held))
            else:
                self._path.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any]:
        empty = {"salt": os.urandom(16).hex(), "begun": {}}
        if self._path is None:
            return empty
        try:
            held = json.loads(self._path.read_text(encoding="utf-8"))
            begun = {name: (int(n), str(op), float(at)) for name, (n, op, at) in held["begun"].items()}
            oldest = time.time() - _KEPT_FOR
            return {"salt": str(held["salt"]), "begun": {k: v for k, v in begun.items() if v[2] >= oldest}}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return empty


def _digest(salt: str, key: str) -> str:
    import hashlib

    return hashlib.sha256(f"{salt}\n{key}".encode()).hexdigest()
