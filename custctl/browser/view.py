"""What the list shows: a search, or a list with its sort and filters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from custctl.api.customers import Customers
    from custctl.customers.pages import Page


@dataclass(frozen=True, slots=True)
class View:
    """A question to the database.

    Attributes:
        text: what is searched for; empty for a list. Sort and filters are of the list alone.
        sort: a field, with `-` in front for descending; `status`, `country` and `where` as `customer list` takes them.
    """

    text: str = ""
    sort: str = "id"
    status: str = ""
    country: str = ""
    where: tuple[str, ...] = field(default=())

    def fetch(self, customers: Customers, after: str | None, limit: int) -> Page:
        """Return the page that begins at a cursor. Raises as `Customers.list` and `Customers.search` do."""
        if after is not None:
            # The cursor carries the question.
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

    def in_words(self) -> str:
        """Return the question as the screen shows it."""
        if self.text:
            return f"search: {self.text}"
        filters = [f"{name}={value}" for name, value in (("status", self.status), ("country", self.country)) if value]
        parts = [
            f"sort: {self.sort}",
            *(["filter: " + ", ".join((*filters, *self.where))] if filters or self.where else []),
        ]
        return "   ".join(parts)
