"""The customers of a database, read and written by the same rules as on the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from os import PathLike
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar, Unpack

from custctl.cache.answers import Demands, Found
from custctl.support.errors import CustctlError, RefusedError

if TYPE_CHECKING:
    from custctl.api.erasing import Erasure
    from custctl.api.importing import FileImport, ImportOptions
    from custctl.api.opened import Opened
    from custctl.customers.history import History
    from custctl.customers.importing import Result
    from custctl.customers.model import Customer
    from custctl.customers.operations import Outcome
    from custctl.customers.pages import Page
    from custctl.schema.own import OwnFields, Value

T = TypeVar("T")

ANYTHING = Demands()
"""The default demands of `read`: none."""


class Customers:
    """The customers of one database. A customer is named by id or email.

    Writes check the values as the command line does. They raise `RefusedError` if the database's stamp is another
    environment's, `PendingError` if the schema is missing or too old, `UnavailableError` if nothing was written, and
    `OutcomeUnknownError` if it is unknown whether something was written. Each takes the UUID of an operation, so that
    the same request is never applied twice; by default a new UUID.

    Args:
        opened: the profile.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    # -- fields ------------------------------------------------------------------------------------

    def fields(self) -> tuple[str, ...]:
        """Return the names of all fields in output order, the company's own fields in this database last."""
        from custctl.customers.model import FIELDS

        return (*FIELDS, *self._opened.learn_fields().names)

    # -- reading -----------------------------------------------------------------------------------

    def get(self, who: str | int) -> Customer:
        """Return a customer from the primary, so that it can be changed and written back.

        Raises:
            NotFoundError: there is no such customer.
        """
        return self._opened.reader.get(str(who))

    def find(self, who: str | int) -> Customer | None:
        """Return a customer as `get` does, or None if there is no such customer."""
        return self._opened.reader.find(str(who))

    def read(self, who: str | int, demands: Demands = ANYTHING) -> Found:
        """Return a customer, from the cache or a replica if the profile has them, and where it came from.

        Args:
            demands: what the caller demands of the source.

        Raises:
            NotFoundError: there is no such customer.
            UnavailableError: the database is down, and the cache has no entry that may be served.
        """
        opened = self._opened
        if opened.profile.cache is None:
            return Found(opened.reader.get(str(who), replica=True))
        from custctl.cache.reading import Reader

        reader = Reader(
            opened.open_cache(), lambda: opened.reader, opened.learn_cache, self._is_down, opened.tell.detail
        )
        return reader.get(str(who), demands)

    def _is_down(self) -> bool:
        from custctl.cache.liveness import is_down

        nodes = self._opened.profile.database.nodes
        return is_down([(node.host, node.port) for node in nodes], self._opened.memory)

    def list(
        self,
        *,
        sort: str | None = None,
        status: str | None = None,
        country: str | None = None,
        where: Sequence[str] = (),
        limit: int = 50,
        after: str | None = None,
    ) -> Page:
        """Return a page of customers.

        Args:
            sort: a field, with a leading `-` for descending; default id. Customers without a value come last.
            status: only customers with this status.
            country: only customers with this country, exactly as stored.
            where: conditions that must all hold, such as `points>=100`, `company~labs` or `phone?`.
            limit: maximum number of customers, from 1.
            after: the previous page's cursor, `next`; it includes sort, filters and conditions.

        Raises:
            UsageError: there is no such field or status, a condition is malformed, or the cursor is damaged or belongs
                to another query.
            InvalidError: a condition's value does not have its field's type.
        """
        from custctl.customers.pages import read_page
        from custctl.customers.queries import resume_list

        query, position = resume_list(sort, status, country, where, after)
        return read_page(self._opened.database, self._opened.checked(query), limit, position)

    def iterate(
        self,
        *,
        sort: str | None = None,
        status: str | None = None,
        country: str | None = None,
        where: Sequence[str] = (),
    ) -> Iterator[Customer]:
        """Yield all customers from one consistent snapshot, in constant memory. Arguments as for `list`."""
        from custctl.customers.pages import read_all
        from custctl.customers.queries import list_query

        return read_all(self._opened.database, self._opened.checked(list_query(sort, status, country, where)))

    def count(self, *, status: str | None = None, country: str | None = None, where: Sequence[str] = ()) -> int:
        """Return how many customers there are; arguments as for `list`."""
        from custctl.customers.counting import count
        from custctl.customers.queries import list_query

        return count(self._opened.database, self._opened.checked(list_query(None, status, country, where)))

    def count_by(
        self,
        field: str,
        *,
        status: str | None = None,
        country: str | None = None,
        where: Sequence[str] = (),
        limit: int | None = None,
    ) -> dict[Value, int]:
        """Return how many customers have each value of a field, most frequent first; None is for no value.

        Args:
            field: the field's name.
            status: as for `list`, like `country` and `where`.
            limit: maximum number of values; None for all.

        Raises:
            UsageError: there is no such field, or it cannot be grouped; or as `list`.
        """
        from custctl.customers.counting import check_grouped, count_by
        from custctl.customers.queries import list_query

        query = self._opened.checked(list_query(None, status, country, where))
        check_grouped(field, self._opened.own_fields([field]))
        return dict(count_by(self._opened.database, query, field, limit))

    def search(
        self,
        text: str | None = None,
        *,
        contains: bool = False,
        exact: bool = False,
        limit: int = 50,
        after: str | None = None,
    ) -> Page:
        """Return a page of the customers that match a search text.

        Each word of the text must begin a word of the email, the names, the company, the city or an own field marked as
        searchable, in any order, ignoring case and accents. Digits match a phone. Exact matches come first.

        Args:
            text: the search text; optional with `after`.
            contains: whether to match the whole text anywhere in a field, ignoring case and accents.
            exact: whether email, name, company or phone must begin with the text; accents count.
            limit: maximum number of customers, from 1.
            after: the previous page's cursor, `next`.

        Raises:
            UsageError: the text is missing, or the cursor is damaged or belongs to another query.
        """
        from custctl.customers.pages import read_page
        from custctl.customers.queries import resume_search, search_mode

        query, position = resume_search(text, search_mode(contains=contains, exact=exact), after)
        return read_page(self._opened.database, query, limit, position)

    def history(self, who: str | int) -> History:
        """Return what happened to a customer, oldest first. A deleted customer can be found by id.

        Raises:
            NotFoundError: there is no such customer and never was.
        """
        from custctl.customers.history import read_history

        return read_history(self._opened.database, str(who))

    def is_applied(self, operation_id: str) -> bool:
        """Return whether an operation is already recorded."""
        return self._opened.store.is_applied(operation_id)

    # -- writing -----------------------------------------------------------------------------------

    def add(self, values: Mapping[str, object], *, operation_id: str | None = None) -> Outcome:
        """Add a customer.

        Args:
            values: fields by name, including the company's own; `email`, `first_name` and `last_name` are required.
            operation_id: the UUID of the request.

        Raises:
            ConflictError: the email is taken.
            InvalidError: values are not valid; `details["fields"]` has the reason for each.
            UsageError: a field is unknown or cannot be set.
        """
        from custctl.customers.operations import chosen_operation_id
        from custctl.customers.rules import validate

        wanted = chosen_operation_id(operation_id)
        outcome = self._with_fields(
            values,
            lambda own: self._opened.store.add(validate(values, own, partial=False), own, operation_id=wanted),
        )
        return self._followed(outcome)

    def _followed(self, outcome: Outcome) -> Outcome:
        """Update the account at the identity provider to what was written."""
        if self._opened.profile.identity.is_local:
            return outcome
        from custctl.api.accounts import Accounts

        return Accounts(self._opened).follow(outcome)

    def _with_fields(self, named: Iterable[str], work: Callable[[OwnFields], T]) -> T:
        """Run `work` with the own fields; run it again if the database turns out to have others."""
        from custctl.customers.conflicts import FieldsChangedError

        try:
            return work(self._opened.own_fields(named))
        except FieldsChangedError:
            return work(self._opened.learn_fields())

    def update(
        self,
        who: str | int,
        changes: Mapping[str, object],
        *,
        if_version: str | None = None,
        retries: int = 0,
        operation_id: str | None = None,
        base: Customer | None = None,
        rehearse: bool = False,
    ) -> Outcome:
        """Set fields of a customer. None or an empty text clears a field; other fields stay unchanged.

        Args:
            changes: fields by name.
            if_version: write only if the customer still has this version.
            retries: how often to reread the row and set the same fields after a conflict; not with `if_version`.
            operation_id: the UUID of the request.
            base: the customer as the caller saw it at `if_version`, for the message of a conflict.
            rehearse: do everything, then roll back: the outcome is what would have been written.

        Raises:
            ConflictError: somebody else changed the row, and nothing was overwritten; or the email is taken.
            InvalidError: values are not valid; `details["fields"]` has the reason of each.
            NotFoundError: there is no such customer.
            UsageError: a field that is unknown or cannot be set.
        """
        from custctl.customers.operations import chosen_operation_id
        from custctl.customers.rules import validate

        wanted = chosen_operation_id(operation_id)
        outcome = self._with_fields(
            changes,
            lambda own: self._opened.store.update(
                str(who),
                validate(changes, own, partial=True),
                own,
                operation_id=wanted,
                if_version=if_version,
                retries=retries,
                base=base,
                rehearse=rehearse,
            ),
        )
        return outcome if rehearse else self._followed(outcome)

    def delete(self, who: str | int, *, if_version: str | None = None, operation_id: str | None = None) -> Outcome:
        """Delete a customer, its password and every value of it in the audit.

        Args:
            if_version: delete only if the customer still has this version.
            operation_id: the UUID of the request.

        Raises:
            ConflictError: somebody else changed the row; nothing was deleted.
            NotFoundError: there is no such customer.
        """
        from custctl.customers.operations import chosen_operation_id

        outcome = self._opened.store.delete(
            str(who), operation_id=chosen_operation_id(operation_id), if_version=if_version
        )
        return self._followed(outcome)

    def erase(self, who: str | int, *, request: str, operation_id: str | None = None) -> Erasure:
        """Erase everything stored about a customer, even a deleted one, for a data subject's request.

        Args:
            request: the request's reference; it stays in the audit, and must not name anybody.
            operation_id: the UUID of the operation.

        Returns:
            What was erased, and what stays and why. If something could not be erased, `failed` lists it; repeat the
            call to retry.

        Raises:
            ConflictError: rows of other tables refer to the customer; nothing was erased.
            NotFoundError: there is no such customer and never was.
            UsageError: the reference cannot be recorded.
        """
        from custctl.api.erasing import ErasureRequest

        return ErasureRequest(self._opened, str(who), request, operation_id).run()

    def held(self, who: str | int) -> dict[str, Any]:
        """Return everything stored about a customer, even a deleted one, for a data subject's request.

        Raises:
            CredentialError: this login may not read the values in the audit.
            NotFoundError: there is no such customer and never was.
        """
        from custctl.api.holding import held

        return held(self._opened, str(who))

    # -- passwords ---------------------------------------------------------------------------------

    def set_password(self, who: str | int, password: str, *, operation_id: str | None = None) -> Outcome:
        """Set a customer's password, at the identity provider or as an argon2id hash in the database.

        Raises:
            InvalidError: the password is too short, too common or too easily guessed, or the provider refuses it.
            NotFoundError: there is no such customer.
            RefusedError: the customer has no account at the provider.
        """
        from custctl.customers.operations import chosen_operation_id

        if not self._opened.profile.identity.is_local:
            from custctl.api.accounts import Accounts

            return Accounts(self._opened).set_password(who, password, operation_id=chosen_operation_id(operation_id))
        from custctl.customers.passwords import check_password_rules, hash_password

        def hasher(found: Customer) -> str:
            check_password_rules(password, (found.email, found.first_name, found.last_name, found.company))
            return hash_password(password)

        return self._opened.store.set_password(str(who), hasher, operation_id=chosen_operation_id(operation_id))

    def reset_password(self, who: str | int, *, operation_id: str | None = None) -> Outcome:
        """Have the identity provider send a customer a password reset.

        Raises:
            NotFoundError: there is no such customer.
            RefusedError: the profile has no provider, the provider sends no resets, or the customer has no account.
        """
        from custctl.api.accounts import Accounts
        from custctl.customers.operations import chosen_operation_id

        return Accounts(self._opened).send_reset(who, operation_id=chosen_operation_id(operation_id))

    def check_passwords_are_here(self) -> None:
        """Ensure that this database checks passwords, not an identity provider.

        Raises:
            RefusedError: the profile has an identity provider.
        """
        identity = self._opened.profile.identity
        if not identity.is_local:
            raise RefusedError(
                f"the identity provider of profile `{self._opened.profile.name}` ({identity.provider}) checks passwords",
                hint="let the customer log in there; `custctl identity status` shows which provider it is",
            )

    def verify_password(
        self, who: str | int, password: str, *, before_writing: Callable[[], None] = lambda: None
    ) -> Customer:
        """Check a customer's password, and return the customer. A hash with old parameters is renewed.

        Args:
            before_writing: called before a hash is renewed.

        Raises:
            InvalidError: the password is wrong, or none is set.
            NotFoundError: there is no such customer.
            RefusedError: an identity provider checks passwords.
        """
        from custctl.customers.passwords import verify_customer

        self.check_passwords_are_here()
        store = self._opened.store
        found, stored = store.password_hash(str(who))
        renewed = verify_customer(stored, password)
        if stored is not None and renewed is not None:
            before_writing()
            try:
                store.replace_hash(found.id, stored, renewed)
            except CustctlError as error:
                # The password is correct; renewing its hash can wait for a writable database.
                self._opened.tell.detail(f"the hash still has its older parameters: {error.message}")
        return found

    # -- files -------------------------------------------------------------------------------------

    def export(
        self, *, status: str | None = None, country: str | None = None, where: Sequence[str] = ()
    ) -> Iterator[Customer]:
        """Yield all customers by id from one consistent snapshot, in constant memory. Filters as for `list`.

        Raises:
            PendingError: the schema is missing or too old.
        """
        from custctl.customers.exporting import export_all, exported_customer

        found = export_all(self._opened.database, self._opened.filters(status, country, where))
        return (exported_customer(row, found.own) for block in found.rows() for row in block)

    def import_file(
        self,
        file: str | PathLike[str] | IO[bytes],
        *,
        on_progress: Callable[[int], None] = lambda _: None,
        **options: Unpack[ImportOptions],
    ) -> Result:
        """Import customers from CSV or JSON lines. Invalid rows are rejected; the others are imported.

        To resume a killed import, run it again with the same file and options.

        Args:
            file: a path, or a binary stream, which is read to its end.
            on_progress: called after each batch with the number of rows handled.
            options: see `custctl.api.importing.ImportOptions`.

        Returns:
            How many rows were inserted, updated, skipped and rejected, in `counts`; the first rejects' `reasons`.

        Raises:
            ConflictError: another process imports the same file, or another request used the operation id.
            InvalidError: the file is malformed; the rows before the fault were imported.
            UsageError: the file cannot be read, or an option does not fit it.
        """
        with self.importing(Path(file) if isinstance(file, str | PathLike) else file, **options) as work:
            return work.run(on_progress)

    def importing(self, file: Path | IO[bytes], **options: Unpack[ImportOptions]) -> AbstractContextManager[FileImport]:
        """Open a file for an import and detect its form, before anything is written; see `import_file`."""
        from custctl.api.importing import opened_import

        return opened_import(self._opened, file, **options)
