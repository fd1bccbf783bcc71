"""An unsaved edit: the stored values, the typed values, and the conflicts with somebody else's change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from custctl.customers.merge import FieldConflict, merge
from custctl.customers.model import EDITABLE
from custctl.customers.operations import new_operation_id
from custctl.schema.own import field_text, to_text
from custctl.support.errors import ConflictError
from custctl.support.exact_json import same
from custctl.support.text import UNSAFE, visible

if TYPE_CHECKING:
    from custctl.api.customers import Customers
    from custctl.customers.model import Customer
    from custctl.customers.operations import Outcome
    from custctl.schema.own import OwnFields, Value


@dataclass
class Form:
    """A customer's fields while a person edits them.

    Attributes:
        customer_id: the customer; None for a new one.
        version: the version that the edit is based on; None for a new customer.
        base: the customer at that version; None if it is no longer known.
        own: the database's own fields.
        held: the stored values as text, by name.
        typed: the typed values that differ from these, by name.
        conflicts: fields that somebody else has set to another value, until a person has decided.
        was_known: whether their values at `version` are known.
    """

    customer_id: int | None
    version: str | None
    base: Customer | None
    own: OwnFields
    held: dict[str, str]
    typed: dict[str, str] = field(default_factory=dict)
    conflicts: tuple[FieldConflict, ...] = ()
    was_known: bool = True
    _theirs: tuple[str | None, Mapping[str, Value]] = (None, {})
    _operation: tuple[str, dict[str, str]] | None = None

    @classmethod
    def of(cls, row: Customer | None, own: OwnFields) -> Form:
        """Return the form for a customer, or an empty one."""
        names = (*EDITABLE, *own.settable)
        if row is None:
            return cls(None, None, None, own, dict.fromkeys(names, ""))
        values = row.as_dict()
        return cls(row.id, row.version, row, own, {name: _text(own, name, values.get(name)) for name in names})

    def shown(self, name: str) -> str:
        """Return a field's text, safe for a terminal."""
        return visible(self.typed.get(name, self.held[name]))

    def type(self, name: str, text: str) -> None:
        """Set the typed text of a field."""
        if text == visible(self.held[name]):
            self.typed.pop(name, None)
        else:
            self.typed[name] = self._meant(name, text)

    def resume(self, version: str | None, typed: Mapping[str, str]) -> None:
        """Continue an unsaved edit, with the version that it is based on."""
        self.typed = {name: text for name, text in typed.items() if name in self.held and text != self.held[name]}
        if version != self.version:
            self.version, self.base = version, None

    def _meant(self, name: str, text: str) -> str:
        """Return a typed text, with the stored characters that were shown as escapes put back."""
        for char in set(re.findall(UNSAFE, self.held[name])):
            text = text.replace(visible(char), char)
        return text

    def operation_id(self) -> str:
        """Return the operation's id, which is the same for the same request, so that it is never applied twice."""
        if self._operation is None or self._operation[1] != self.typed:
            self._operation = new_operation_id(), dict(self.typed)
        return self._operation[0]

    # -- writing -----------------------------------------------------------------------------------

    def write(self, customers: Customers) -> Outcome | None:
        """Write the changes; return None if a person must first decide the `conflicts`.

        Fields that only somebody else changed keep the other's value.

        Raises:
            ConflictError: a unique value is taken.
            CustctlError: whatever else `Customers.add` and `Customers.update` raise.
        """
        operation = self.operation_id()
        if self.customer_id is None:
            return customers.add(dict(self.typed), operation_id=operation)
        while True:
            try:
                return customers.update(
                    self.customer_id,
                    dict(self.typed),
                    if_version=self.version,
                    operation_id=operation,
                    base=self.base,
                )
            except ConflictError as error:
                if "current_version" not in error.details:
                    raise
                self.meet(error.details)
                if self.conflicts:
                    return None

    def meet(self, details: Mapping[str, Any]) -> None:
        """Merge somebody else's changes, given the details of a version conflict."""
        fields = details["fields"]
        asked = {each["field"]: each["asked"] for each in fields if "asked" in each}
        now = {each["field"]: each["now"] for each in fields}
        was = {each["field"]: each["was"] for each in fields}
        self.was_known = details["was_known"]
        if self.was_known:
            self.conflicts = merge(was, now, asked).conflicts
        else:
            differing = [name for name in asked if not same(asked[name], now[name])]
            self.conflicts = tuple(FieldConflict(name, None, now[name], asked[name]) for name in differing)
        self._theirs = details["current_version"], now
        if not self.conflicts:
            self._take_theirs()

    def _take_theirs(self) -> None:
        """Base the edit on the current row. Not before a person has decided: until then each save meets the conflict."""
        self.version, now = self._theirs
        self.base = None
        self.held.update({name: _text(self.own, name, value) for name, value in now.items() if name in self.held})

    def decide(self, mine: Mapping[str, bool]) -> None:
        """Resolve the conflicts.

        Args:
            mine: for each field in conflict, whether to keep the typed value.
        """
        for conflict in self.conflicts:
            if not mine[conflict.field]:
                self.typed.pop(conflict.field, None)
        self.conflicts = ()
        self._take_theirs()


def _text(own: OwnFields, name: str, value: Value) -> str:
    field = own.by_name.get(name)
    return (to_text(value) if field is None else field_text(field, value)) or ""
