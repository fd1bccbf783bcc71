"""Three-way merge of a customer's fields: the base, the current row, and the requested values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from custctl.schema.own import Value
from custctl.support.exact_json import same

Values = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class FieldConflict:
    """A field that both sides changed to different values."""

    field: str
    base: Value
    theirs: Value
    mine: Value


@dataclass(frozen=True, slots=True)
class MergeResult:
    """The result of a merge.

    Args:
        changes: what to write onto `theirs`, without conflicting fields.
        conflicts: what a person has to decide, in the order of `mine`.
    """

    changes: dict[str, Value]
    conflicts: tuple[FieldConflict, ...]


def merge(base: Values, theirs: Values, mine: Values) -> MergeResult:
    """Merge two edits of one row; a field that only one side changed takes that side's value.

    Args:
        base: the fields when `mine` began.
        theirs: the fields as stored now.
        mine: the requested fields. A field absent from `mine` or `theirs` is unchanged on that side.
    """
    changes: dict[str, Value] = {}
    conflicts: list[FieldConflict] = []
    for field, wanted in mine.items():
        was = base.get(field)
        now = theirs.get(field, was)
        if same(wanted, was) or same(wanted, now):
            continue
        if same(now, was):
            changes[field] = wanted
        else:
            conflicts.append(FieldConflict(field, was, now, wanted))
    return MergeResult(changes, tuple(conflicts))
