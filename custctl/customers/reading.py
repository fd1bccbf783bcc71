"""Reading one customer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from custctl.customers.lookup import look_up, to_customer
from custctl.customers.naming import not_found, parse_who
from custctl.schema.standing import check_schema, read_standing
from custctl.support.errors import NotFoundError

if TYPE_CHECKING:
    from custctl.customers.model import Customer
    from custctl.engines.base import Database
    from custctl.engines.connection import Connection
    from custctl.engines.results import Row
    from custctl.schema.standing import Standing


class CustomerReader:
    """Reads the customers of one database one by one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, who: str, *, replica: bool = False) -> Customer:
        """Return a customer by id or email.

        Args:
            replica: whether a replica may serve the read; never for a row that is then written back.

        Raises:
            NotFoundError: no such customer.
        """
        named = parse_who(who)
        return self._database.read(lambda connection: self._look(connection, named, who), replica=replica)

    def identified(self, who: str, *, replica: bool = False) -> tuple[Customer, Standing]:
        """Return a customer as `get` does, and what its database says about itself."""
        named = parse_who(who)

        def look(connection: Connection) -> tuple[Customer, Standing]:
            return self._look(connection, named, who), read_standing(connection)

        return self._database.read(look, replica=replica)

    @property
    def has_read_primary(self) -> bool:
        """Whether the primary served the last read, not a node that stood in for it."""
        source = self._database.source
        return source is None or source.is_primary

    def find(self, who: str) -> Customer | None:
        """Return a customer by id or email, or None if there is none."""
        try:
            return self.get(who)
        except NotFoundError:
            return None

    def password_hash(self, who: str) -> tuple[Customer, str | None]:
        """Return a customer and its stored hash, or None if it has no password.

        Raises:
            NotFoundError: no such customer.
        """
        named = parse_who(who)
        with self._database.reading() as connection:
            row = self._row(connection, "customer.with_hash_", named, who)
            return to_customer(self._database, connection, row[1:]), row[0]

    def _look(self, connection: Connection, named: int | str, who: str) -> Customer:
        return to_customer(self._database, connection, self._row(connection, "customer.", named, who))

    def _row(self, connection: Connection, statement: str, named: int | str, who: str) -> Row:
        """Return the row that a statement finds; see `look_up`.

        Raises:
            NotFoundError: it finds none, and the schema is there.
        """
        row = look_up(self._database, connection, statement, named)
        if row is None:
            check_schema(read_standing(connection))
            raise not_found(who)
        return row
