"""The view of the list screen: a search, or a list with sort and filters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from custctl.api.customers import Customers
    from custctl.customers.pages import Page
    from custctl.engines.base import Database


@dataclass(frozen=True, slots=True)
class View:
    """A search or a list.

    Attributes:
        text: the search text; empty for a list. Sort and filters apply only to a list.
        sort: a field, with a leading `-` for descending; `status`, `country` and `where` are as in `customer list`.
    """

    text: str = ""
    sort: str = "id"
    status: str = ""
    country: str = ""
    where: tuple[str, ...] = field(default=())

    def fetch(self, customers: Customers, after: str | None, limit: int) -> Page:
        """Return the page that starts at a cursor. Raises as `Customers.list` and `Customers.search` do."""
        if after is not None:
            # The cursor contains the query.
            read = customers.search if self.text else customers.list
            return read(limit=limit, after=after)
        if self.text:
            return customers.search(self.text, limit=limit)
        return customers.list(
            sort=self.sort,
            status=self.status or None,
            country=self.country or None,
            where=self.where,
            limit=limit,
        )

    def near(self, database: Database) -> list[str]:
        """Return what may have been meant by a search that finds nothing."""
        from custctl.customers.queries import search_query
        from custctl.customers.suggestions import near

        return near(database, search_query(self.text))

    def in_words(self) -> str:
        """Return the view in words, for the screen."""
        if self.text:
            return f"search: {self.text}"
        filters = [f"{name}={value}" for name, value in (("status", self.status), ("country", self.country)) if value]
        parts = [
            f"sort: {self.sort}",
            *(["filter: " + ", ".join((*filters, *self.where))] if filters or self.where else []),
        ]
        return "   ".join(parts)
