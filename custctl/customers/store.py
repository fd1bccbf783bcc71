"""Writing one customer: version-checked, audited, each operation applied at most once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from custctl.customers import audit
from custctl.customers.conflicts import check_fields, version_conflict
from custctl.customers.lookup import look_up, make_customer, to_customer
from custctl.customers.mirror import NO_MIRROR, Mirror
from custctl.customers.model import DEFAULT_STATUS, EDITABLE, Customer
from custctl.customers.naming import not_found, parse_who
from custctl.customers.operations import Outcome, new_operation_id
from custctl.customers.outbox import FOLLOWED, NO_QUEUE, Queue
from custctl.customers.reading import CustomerReader
from custctl.customers.replay import replay
from custctl.customers.transactions import Transactions
from custctl.customers.versions import Version, parse_precondition
from custctl.engines.constraints import withheld
from custctl.schema.own import NO_OWN_FIELDS, OwnFields, Value
from custctl.schema.standing import Standing, read_standing
from custctl.support.errors import (
    ConflictError,
    CustctlError,
    InterruptedRunError,
    InvalidError,
    NotFoundError,
    OutcomeUnknownError,
    other_shape,
)
from custctl.support.exact_json import same

if TYPE_CHECKING:
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection

_EDITABLE = frozenset(EDITABLE)
_BACKOFF = 0.01  # seconds before the first retry of a conflict; doubled, with jitter, up to half a second
_ERASURES = 10  # retries: an erasure applies to the person, whatever others change in the row meanwhile


class _RehearsedError(Exception):
    """Rolls back a transaction that succeeded."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__()
        self.outcome = outcome


class CustomerStore(CustomerReader):
    """Reads and writes the customers of one database one by one.

    Args:
        environment: the profile's; it must equal the database's stamp before any write.
        actor: the name recorded in the audit.
        mirror: notified of every write.
        queue: queues the changes that accounts at an identity provider must follow.
    """

    def __init__(
        self,
        database: Database,
        environment: str,
        actor: str,
        mirror: Mirror = NO_MIRROR,
        queue: Queue = NO_QUEUE,
    ) -> None:
        super().__init__(database)
        self.environment = environment
        self._actor = actor
        self._mirror = mirror
        self.queue = queue
        self.transactions = Transactions(database, environment, actor)

    def is_applied(self, operation_id: str) -> bool:
        """Return whether an operation is already recorded."""
        with self._database.reading() as connection:
            return bool(audit.find_operation(connection, operation_id))

    # -- writing -----------------------------------------------------------------------------------

    def add(self, values: Mapping[str, Value], own: OwnFields = NO_OWN_FIELDS, *, operation_id: str) -> Outcome:
        """Add a customer with validated values.

        Args:
            own: the own fields that the values were validated against.

        Raises:
            FieldsChangedError: the database has other own fields.
            ConflictError: the email is already taken.
        """

        def write(connection: Connection, standing: Standing) -> Outcome:
            check_fields(own, connection.own)
            filled = {"status": DEFAULT_STATUS, **{name: value for name, value in values.items() if value is not None}}
            _check_email_is_free(connection, filled["email"])
            made = self._database.insert_row(connection, filled)
            row = make_customer(self._database, connection, made, standing.epoch)
            self._mirror.writing(standing.database_id, row.id)
            self._record_values(connection, row, operation_id, "add", fields=list(filled), before=None, request=values)
            self.queue.follow(connection, row.id, operation_id)
            return Outcome(row, row.id, operation_id)

        return self._write(operation_id, "add", None, write, request=values)

    def update(
        self,
        who: str,
        changes: Mapping[str, Value],
        own: OwnFields = NO_OWN_FIELDS,
        *,
        operation_id: str,
        if_version: str | None = None,
        retries: int = 0,
        base: Customer | None = None,
        rehearse: bool = False,
    ) -> Outcome:
        """Set fields of a customer if its version is the one just read, or the one given.

        Args:
            changes: validated values of the named fields; other fields do not change. Empty only if the operation is
                known to be applied and the caller wants its outcome.
            own: the own fields that the values were validated against.
            if_version: write only if the customer still has this version.
            retries: how often to read the row again and apply the same fields after a conflict.
            base: the customer as the caller saw it at `if_version`, for the message of a conflict.
            rehearse: do everything, then roll back; the outcome is what would have been written.

        Raises:
            ConflictError: another write changed the row; nothing was overwritten.
            FieldsChangedError: `changes` names an own field, and the database has other own fields than `own`.
            NotFoundError: no such customer.
        """
        expected = parse_precondition(if_version, who)

        def write(connection: Connection, standing: Standing) -> Outcome:
            if not changes.keys() <= _EDITABLE:
                check_fields(own, connection.own)
            row = self._find(connection, who)
            precondition = expected or Version.parse(row.version)
            if str(precondition) != row.version:
                raise self._conflict(connection, row, precondition, changes, base)
            changed = {name: value for name, value in changes.items() if not same(row[name], value)}
            if not changed:
                return Outcome(row, row.id, operation_id, changed=False)
            if "email" in changed:
                _check_email_is_free(connection, changed["email"])
            if not rehearse:
                self._mirror.writing(standing.database_id, row.id)
            written = self._database.write_row(connection, changed, **self._holds(row.id, precondition))
            if written is None:
                raise self._conflict(connection, self._find(connection, str(row.id)), precondition, changes, row)
            after = make_customer(self._database, connection, written, precondition.epoch)
            if after.version == str(precondition):
                raise other_shape(self._database.location, "an update does not raise the version of its row")
            outcome = Outcome(after, after.id, operation_id, before=row)
            if rehearse:
                raise _RehearsedError(outcome)
            fields = list(changed)
            self._record_values(connection, after, operation_id, "update", fields=fields, before=row, request=changes)
            if FOLLOWED & changed.keys():
                self.queue.follow(connection, row.id, operation_id)
            return outcome

        try:
            return self._retrying(
                retries if expected is None else 0,
                lambda: self._write(operation_id, "update", who, write, request=changes or None),
            )
        except _RehearsedError as rehearsed:
            return rehearsed.outcome

    @staticmethod
    def _retrying(retries: int, attempt: Callable[[], Outcome]) -> Outcome:
        """Retry a write when another one changed the row.

        Raises:
            ConflictError: every attempt found a conflict.
        """
        for number in range(retries + 1):
            try:
                return attempt()
            except ConflictError as error:
                if number == retries or "current_version" not in error.details:
                    raise
                import random

                time.sleep(min(_BACKOFF * 2 ** min(number, 10), 0.5) * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
        raise AssertionError("the last attempt returns or raises")

    def delete(self, who: str, *, operation_id: str, if_version: str | None = None) -> Outcome:
        """Delete a customer, its password and every value that the audit holds about it.

        Raises:
            ConflictError: another write changed the row, or other rows refer to it; nothing was deleted.
            NotFoundError: no such customer.
        """
        expected = parse_precondition(if_version, who)

        def write(connection: Connection, standing: Standing) -> Outcome:
            row = self._find(connection, who)
            precondition = expected or Version.parse(row.version)
            if str(precondition) != row.version:
                raise self._conflict(connection, row, precondition, {}, None)
            self._mirror.writing(standing.database_id, row.id)
            connection.run("password.delete", owner=row.id)
            self._delete_row(connection, row, precondition, operation_id)
            self._record(connection, operation_id, "delete", customer_id=row.id, version=row.version)
            audit.erase_values(connection, row.id)
            self._database.erase_copies(connection)
            return Outcome(None, row.id, operation_id, deleted_version=row.version)

        with self._naming_referrers(who):
            return self._write(operation_id, "delete", who, write)

    def erase(self, who: str, *, request: str, operation_id: str) -> Outcome:
        """Delete all that is left of a customer, even if its row is gone: the row, its password, the audit's values.

        Args:
            request: the reference of the data subject's request; the audit keeps it.

        Raises:
            ConflictError: other rows refer to the customer, or other writes kept changing it; nothing was erased.
            CredentialError: this login does not see whether the row is gone; nothing was erased.
            NotFoundError: no such customer, now or ever.
        """
        from custctl.customers.erasure import ACTION, erasure_detail, last_version, scripts_that_hold

        def write(connection: Connection, standing: Standing) -> Outcome:
            named = parse_who(who)
            found = look_up(self._database, connection, "customer.", named)
            if found is None and isinstance(named, str):
                raise not_found(who)
            row = to_customer(self._database, connection, found) if found is not None else None
            if row is None:
                self._database.require_all_rows(connection)
            number = row.id if row is not None else int(named)
            version = row.version if row is not None else last_version(connection, number)
            self._mirror.erasing(standing.database_id, number)
            scripts = scripts_that_hold(connection, row.email) if row is not None else []
            counts = {"password": connection.run("password.delete", owner=number).rowcount, "customer": 0}
            if row is not None:
                self._delete_row(connection, row, Version.parse(row.version), operation_id)
                counts["customer"] = 1
            counts["audit_values"] = audit.erase_values(connection, number)
            detail = erasure_detail(request, counts, scripts)
            self._record(connection, operation_id, ACTION, customer_id=number, version=version, detail=detail)
            self._database.erase_copies(connection)
            return Outcome(None, number, operation_id, deleted_version=version)

        with self._naming_referrers(who):
            outcome = self._retrying(_ERASURES, lambda: self._write(operation_id, ACTION, who, write))
        with self._database.reading() as connection:
            database_id = read_standing(connection).database_id
            recorded = audit.find_operation(connection, operation_id)[0]
        self._mirror.erased(database_id, outcome.customer_id, recorded.version)
        return outcome

    def _delete_row(self, connection: Connection, row: Customer, precondition: Version, operation_id: str) -> None:
        """Delete a row if it has this version, and its account.

        Raises:
            ConflictError: the row has another version.
        """
        self.queue.forget(connection, row.id, operation_id)
        if connection.run("customer.delete", **self._holds(row.id, precondition)).one_or_none() is None:
            raise self._conflict(connection, self._find(connection, str(row.id)), precondition, {}, row)

    @contextmanager
    def _naming_referrers(self, who: str) -> Iterator[None]:
        """Name the rows that prevent a customer from being deleted because they refer to it."""
        try:
            yield
        except InvalidError as error:
            if error.details.get("rule") != "reference":
                raise
            from custctl.customers.referring import referred

            with self._database.reading() as connection:
                raise referred(self._database, connection, self._find(connection, who), error) from error

    # -- passwords ---------------------------------------------------------------------------------

    def set_password(self, who: str, hasher: Callable[[Customer], str], *, operation_id: str) -> Outcome:
        """Store the hash that `hasher` makes for a customer; no audit row contains it.

        Raises:
            NotFoundError: no such customer.
        """
        with self._database.reading() as connection:
            recorded = audit.find_operation(connection, operation_id)
        if recorded:
            return replay(recorded[0], "set-password", who)
        # Hashing takes 0.2 s: do it before the transaction, so that no other writer waits for it.
        found = self.get(who)
        stored = hasher(found)

        def write(connection: Connection, standing: Standing) -> Outcome:
            row = self._find(connection, str(found.id))
            self._database.store_hash(connection, row.id, stored)
            self._record(connection, operation_id, "set-password", customer_id=row.id, version=row.version)
            return Outcome(row, row.id, operation_id)

        return self._write(operation_id, "set-password", who, write)

    def replace_hash(self, customer_id: int, old: str, new: str) -> None:
        """Replace a hash with one of the same password and current parameters, unless it has changed since."""

        def write(connection: Connection, standing: Standing) -> Outcome:
            if connection.run("password.hash", owner=customer_id).scalar() == old:
                self._database.store_hash(connection, customer_id, new)
                self._record(connection, operation_id, "rehash-password", customer_id=customer_id)
            return Outcome(None, customer_id, operation_id)

        operation_id = new_operation_id()
        self._write(operation_id, "rehash-password", None, write)

    # -- accounts at an identity provider ----------------------------------------------------------

    def note(
        self,
        who: str,
        action: str,
        *,
        operation_id: str,
        detail: Mapping[str, Any],
        change: Callable[[Connection, Customer], None] = lambda *_: None,
    ) -> Outcome:
        """Record an action on a customer that changes none of its fields.

        Args:
            action: its name in the audit.
            detail: facts without personal data or secrets.
            change: writes more in the same transaction.

        Raises:
            NotFoundError: no such customer.
        """

        def write(connection: Connection, standing: Standing) -> Outcome:
            row = self._find(connection, who)
            change(connection, row)
            self._record(connection, operation_id, action, customer_id=row.id, version=row.version, detail=detail)
            return Outcome(row, row.id, operation_id)

        return self._write(operation_id, action, who, write)

    # -- what every write shares -------------------------------------------------------------------

    def _write(
        self,
        operation_id: str,
        action: str,
        who: str | None,
        write: Callable[[Connection, Standing], Outcome],
        *,
        request: Mapping[str, Value] | None = None,
    ) -> Outcome:
        def once(connection: Connection, standing: Standing) -> Outcome:
            recorded = audit.find_operation(connection, operation_id)
            if not recorded:
                outcome = write(connection, standing)
                if outcome.changed:
                    return outcome
                # Nothing may be left to change because this very operation was applied since the first look.
                recorded = audit.find_operation(connection, operation_id)
                if not recorded:
                    return outcome
            return replay(recorded[0], action, who, request)

        try:
            database_id, outcome = self.transactions.run(
                operation_id, lambda connection, standing: (standing.database_id, once(connection, standing))
            )
        except (OutcomeUnknownError, InterruptedRunError):
            raise  # the write may still take effect
        except CustctlError as error:
            self._mirror.unchanged()
            if not isinstance(error, ConflictError | NotFoundError):
                raise
            # The obstacle may be this very operation, which another process has applied meanwhile.
            with self._database.reading() as connection:
                recorded = audit.find_operation(connection, operation_id)
            if not recorded:
                raise
            return replay(recorded[0], action, who, request)
        self._notify(database_id, outcome)
        return outcome

    def _notify(self, database_id: str | None, outcome: Outcome) -> None:
        """Notify the mirror of what was committed."""
        if outcome.replayed or not outcome.changed:
            self._mirror.unchanged()
        elif outcome.customer is not None:
            self._mirror.wrote(database_id, outcome.customer)
        elif outcome.deleted_version is not None:
            self._mirror.deleted(database_id, outcome.customer_id, outcome.deleted_version)

    def _record(self, connection: Connection, operation_id: str, action: str, **facts: Any) -> None:
        """Append an entry to the audit; `facts` are the other fields of `audit.Entry`."""
        audit.append(self._database, connection, audit.Entry(operation_id, action, self._actor, **facts))

    def _record_values(
        self,
        connection: Connection,
        row: Customer,
        operation_id: str,
        action: str,
        *,
        fields: list[str],
        before: Customer | None,
        request: Mapping[str, Value],
    ) -> None:
        values = {
            "request": dict(request),
            "version_before": before.version if before else None,
            "before": {name: before[name] for name in fields} if before else {},
            "after": row.as_dict(),
        }
        fields = [name for name in row.as_dict() if name in fields]
        self._record(
            connection, operation_id, action, customer_id=row.id, version=row.version, fields=fields, values=values
        )

    def _holds(self, customer_id: int, version: Version) -> dict[str, Any]:
        """Return the parameters of a write's precondition: the row has this version, and no fork has happened since."""
        raw = self._database.decode_version(version.row)
        return {"id": customer_id, "held_version": raw, "held_epoch": str(version.epoch)}

    def _find(self, connection: Connection, who: str) -> Customer:
        row = look_up(self._database, connection, "customer.", parse_who(who))
        if row is None:
            raise not_found(who)
        return to_customer(self._database, connection, row)

    def _conflict(
        self,
        connection: Connection,
        now: Customer,
        expected: Version,
        asked: Mapping[str, Value],
        base: Customer | None,
    ) -> CustctlError:
        """Report why a row was not written: field by field, what it was, what it is now and what the caller asked for.

        If it still has the version that was expected, the database itself did not write it.
        """
        if now.version == str(expected):
            return withheld()
        was = base.as_dict() if base else audit.snapshot(connection, now.id, str(expected))
        return version_conflict(was, now, str(expected), asked)


def _check_email_is_free(connection: Connection, email: Value) -> None:
    holder = connection.run("customer.id_by_email", who=email).scalar()
    if holder is not None:
        raise ConflictError(
            f"the email {email} is already taken by customer {holder}",
            hint=f"`custctl customer get {holder}` shows that customer",
            details={"field": "email", "customer_id": holder},
        )
