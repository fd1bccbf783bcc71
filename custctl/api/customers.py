"""The customers of a database, read and written under the same rules as at the command line."""

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
"""What `read` demands by default: nothing."""


class Customers:
    """The customers of one database. A customer is named by id or email.

    What writes checks the values as the command line does, and raises `RefusedError` where the database's stamp is
    another environment's, `PendingError` where the schema is missing or too old, `UnavailableError` where nothing was
    written, and `OutcomeUnknownError` where that could not be learnt. Each takes the UUID of an operation, so that the
    same request is never applied twice; without one it makes a new one.

    Args:
        opened: the profile's.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    # -- fields ------------------------------------------------------------------------------------

    def fields(self) -> tuple[str, ...]:
        """Return the names of all fields in the order of output, the company's own last, as the database has them."""
        from custctl.customers.model import FIELDS

        return (*FIELDS, *self._opened.learn_fields().names)

    # -- reading -----------------------------------------------------------------------------------

    def get(self, who: str | int) -> Customer:
        """Return a customer as the primary has it, so that it can be changed and written back.

        Raises:
            NotFoundError: there is none.
        """
        return self._opened.store.get(str(who))

    def find(self, who: str | int) -> Customer | None:
        """Return a customer as `get` does; None if there is none."""
        return self._opened.store.find(str(who))

    def read(self, who: str | int, demands: Demands = ANYTHING) -> Found:
        """Return a customer from the cache or a replica, where the profile has them; and where it is from.

        Args:
            demands: what may be served.

        Raises:
            NotFoundError: there is none.
            UnavailableError: the database is down, and the cache has no entry that may be served.
        """
        opened = self._opened
        if opened.profile.cache is None:
            return Found(opened.store.get(str(who), replica=True))
        from custctl.cache.reading import Reader

        reader = Reader(
            opened.open_cache(), lambda: opened.store, opened.learn_cache, self._is_down, opened.tell.detail
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
            sort: a field, with `-` in front for descending; by default the id. Customers without a value come last.
            status: those with this status alone.
            country: those with this country alone, exactly as it is stored.
            where: conditions that must all hold, such as `points>=100`, `company~labs` or `phone?`.
            limit: maximum number of customers, from 1.
            after: the cursor of the page before, `next`; it carries sort, filters and conditions.

        Raises:
            UsageError: no such field or status, a condition of another form, or the cursor is damaged or of another
                query.
            InvalidError: the value of a condition is not of its field's type.
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
        """Yield all customers in one consistent state, in constant memory. Arguments as for `list`."""
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
        """Return how many customers have each value of a field, the most frequent first; None is for no value.

        Args:
            field: its name.
            status: as for `list`; so are `country` and `where`.
            limit: maximum number of values; None for all.

        Raises:
            UsageError: no such field, or it cannot be grouped by; or as `list`.
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
        """Return a page of the customers that a text finds as people say it.

        Each of its words must begin a word of the email, the names, the company, the city or an own field that is marked
        as searchable; in any order, and whatever case and accents. Digits find a phone. Exact hits come first.

        Args:
            text: what to look for; it can be left out with `after`.
            contains: whether it may stand anywhere in a field, as it is but for case and accents.
            exact: whether email, name, company or phone must begin with it; accents count.
            limit: maximum number of customers, from 1.
            after: the cursor of the page before, `next`.

        Raises:
            UsageError: there is nothing to look for, or the cursor is damaged or of another query.
        """
        from custctl.customers.pages import read_page
        from custctl.customers.queries import resume_search, search_mode

        query, position = resume_search(text, search_mode(contains=contains, exact=exact), after)
        return read_page(self._opened.database, query, limit, position)

    def history(self, who: str | int) -> History:
        """Return what happened to a customer, oldest first; a deleted one is found by its id.

        Raises:
            NotFoundError: there is no such customer, and there never was.
        """
        from custctl.customers.history import read_history

        return read_history(self._opened.database, str(who))

    def is_applied(self, operation_id: str) -> bool:
        """Tell whether an operation is recorded already."""
        return self._opened.store.is_applied(operation_id)

    # -- writing -----------------------------------------------------------------------------------

    def add(self, values: Mapping[str, object], *, operation_id: str | None = None) -> Outcome:
        """Add a customer.

        Args:
            values: fields by name, the company's own among them; `email`, `first_name` and `last_name` are needed.
            operation_id: the UUID of the request.

        Raises:
            ConflictError: the email is taken.
            InvalidError: values are not valid; `details["fields"]` has the reason of each.
            UsageError: a field that is unknown or cannot be set.
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
        """Have the account at the identity provider follow what was written."""
        if self._opened.profile.identity.is_local:
            return outcome
        from custctl.api.accounts import Accounts

        return Accounts(self._opened).follow(outcome)

    def _with_fields(self, named: Iterable[str], work: Callable[[OwnFields], T]) -> T:
        """Run `work` with the own fields; again where the database turns out to have others."""
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
        """Set fields of a customer; None or an empty text clears a field, the others are left alone.

        Args:
            changes: fields by name.
            if_version: write only where the customer still has this version.
            retries: how often to read the row again and set the same fields after a conflict; not with `if_version`.
            operation_id: the UUID of the request.
            base: the customer as the caller saw it at `if_version`, for the message of a conflict.
            rehearse: do all of it, then take it back: the outcome is what would have been written, and nothing is.

        Raises:
            ConflictError: the row was changed by another, and nothing was overwritten; or the email is taken.
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
        """Delete a customer, its password and every value that the audit holds of it.

        Args:
            if_version: delete only where the customer still has this version.
            operation_id: the UUID of the request.

        Raises:
            ConflictError: the row was changed by another; nothing was deleted.
            NotFoundError: there is no such customer.
        """
        from custctl.customers.operations import chosen_operation_id

        outcome = self._opened.store.delete(
            str(who), operation_id=chosen_operation_id(operation_id), if_version=if_version
        )
        return self._followed(outcome)

    def erase(self, who: str | int, *, request: str, operation_id: str | None = None) -> Erasure:
        """Erase everything that custctl keeps of a customer, for a data subject's request; a deleted one too.

        Args:
            request: the reference of the request; it stays in the audit, and must name nobody.
            operation_id: the UUID of the operation.

        Returns:
            What was erased, and what stays and why. Where something could not be erased, `failed` says so, and the
            same call again tries it again.

        Raises:
            ConflictError: rows of other tables refer to the customer; nothing was erased.
            NotFoundError: there is no such customer, and there never was one.
            UsageError: the reference cannot be kept.
        """
        from custctl.api.erasing import ErasureRequest

        return ErasureRequest(self._opened, str(who), request, operation_id).run()

    def held(self, who: str | int) -> dict[str, Any]:
        """Return everything that custctl keeps of a customer, for a data subject's request; of a deleted one too.

        Raises:
            CredentialError: this login may not read the values in the audit.
            NotFoundError: there is no such customer, and there never was one.
        """
        from custctl.api.holding import held

        return held(self._opened, str(who))

    # -- passwords ---------------------------------------------------------------------------------

    def set_password(self, who: str | int, password: str, *, operation_id: str | None = None) -> Outcome:
        """Set a customer's password: at the identity provider, or as an argon2id hash in the database.

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
        """Have the identity provider send a customer what a new password is set with.

        Raises:
            NotFoundError: there is no such customer.
            RefusedError: the profile has no provider, it sends no resets, or the customer has no account there.
        """
        from custctl.api.accounts import Accounts
        from custctl.customers.operations import chosen_operation_id

        return Accounts(self._opened).send_reset(who, operation_id=chosen_operation_id(operation_id))

    def check_passwords_are_here(self) -> None:
        """Refuse to check a password that another one checks.

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
        """Check a customer's password, and return the customer. A hash with older parameters is renewed.

        Args:
            before_writing: called before a hash is renewed.

        Raises:
            InvalidError: the password does not match, or none is set.
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
                # The password was right; a hash with older parameters can wait for a writable database.
                self._opened.tell.detail(f"the hash still has its older parameters: {error.message}")
        return found

    # -- files -------------------------------------------------------------------------------------

    def export(
        self, *, status: str | None = None, country: str | None = None, where: Sequence[str] = ()
    ) -> Iterator[Customer]:
        """Yield all customers by id, in one consistent state and in constant memory. Filters as for `list`.

        Raises:
            PendingError: the schema is not there or too old.
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
        """Import customers from CSV or JSON lines. Rows that are not valid are rejected; the others are imported.

        An import that is killed is run again with the same file and options: it resumes where it stopped.

        Args:
            file: its path, or a stream of bytes, which is read to its end.
            on_progress: called with the number of rows dealt with, after each batch.
            options: see `custctl.api.importing.ImportOptions`.

        Returns:
            How many rows were inserted, updated, skipped and rejected, in `counts`; the first `reasons` of rejects.

        Raises:
            ConflictError: another process imports the same file, or the operation is another request's.
            InvalidError: the file cannot be read as what it is; what came before the fault has landed.
            UsageError: the file cannot be read, or an option does not fit it.
        """
        with self.importing(Path(file) if isinstance(file, str | PathLike) else file, **options) as work:
            return work.run(on_progress)

    def importing(self, file: Path | IO[bytes], **options: Unpack[ImportOptions]) -> AbstractContextManager[FileImport]:
        """Open a file for an import and find out what it is, before anything is written; see `import_file`."""
        from custctl.api.importing import opened_import

        return opened_import(self._opened, file, **options)
