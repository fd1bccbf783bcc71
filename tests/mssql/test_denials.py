"""The one step that gives a login what it lacks, by what a server tells: the server is a stand-in that can deny."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

import pytest

from custctl.engines.mssql.denials import next_step
from custctl.engines.roles import ADMIN, OPERATOR, SUPPORT
from tests.mssql.conftest import unparsable

Rows = list[tuple[Any, ...]]
TABLE = "[dbo].[customer]"


class Telling:
    """A connection whose answers are given; a query is answered by the first pattern that it holds."""

    def __init__(self, answers: Mapping[str, Rows]) -> None:
        self._answers = answers
        self.asked: list[str] = []

    def run(self, batch: str) -> Rows:
        """Answer a batch."""
        self.asked.append(batch)
        assert not unparsable(batch)
        return next(rows for pattern, rows in self._answers.items() if re.search(pattern, batch))


def told(denied: Rows, *, member: int | None, of_ddl: int | None, fixed: int | None = 0) -> Telling:
    """Return a connection: what it is denied, and whether it is a member of its role, of `db_ddladmin`, of the denying."""
    return Telling(
        {"database_permissions": denied, "db_denydata": [("ada", fixed)], "db_ddladmin": [("ada", member, of_ddl)]}
    )


@pytest.mark.parametrize(
    ("privilege", "denied", "statement"),
    [
        ("SELECT", (1, None, "ada"), f"REVOKE SELECT ON {TABLE} FROM [ada]"),
        ("UPDATE", (1, None, "all]staff"), f"REVOKE UPDATE ON {TABLE} FROM [all]]staff]"),
        ("SELECT", (1, "phone", "ada"), f"REVOKE SELECT ON {TABLE} ([phone]) FROM [ada]"),
        ("INSERT", (3, None, "public"), "REVOKE INSERT ON SCHEMA::[dbo] FROM [public]"),
        ("DELETE", (0, None, "ada"), "REVOKE DELETE FROM [ada]"),
    ],
)
@pytest.mark.parametrize("member", [0, 1, None])
def test_what_was_denied_is_to_be_taken_back_before_anything_is_granted(
    privilege: str, denied: tuple[Any, ...], statement: str, member: int | None
) -> None:
    """A grant would not help."""
    driver = told([denied, (0, None, "else")], member=member, of_ddl=0)
    hint = next_step(cast("Any", driver), privilege, "customer", "dbo")
    assert hint == f"ask an administrator to run `{statement}`"


@pytest.mark.parametrize(("privilege", "role"), [("SELECT", "db_denydatareader"), ("DELETE", "db_denydatawriter")])
def test_a_role_that_denies_is_to_be_left(privilege: str, role: str) -> None:
    driver = told([], member=1, of_ddl=0, fixed=1)
    hint = next_step(cast("Any", driver), privilege, "customer", "dbo")
    assert hint == f"ask an administrator to run `ALTER ROLE {role} DROP MEMBER [ada]`"


@pytest.mark.parametrize(
    ("privilege", "name", "member", "of_ddl", "step"),
    [
        # A table of the company's own has no role of ours.
        ("SELECT", "stock", 1, 1, "`GRANT SELECT ON [dbo].[stock] TO [ada]`"),
        ("SELECT", "customer", None, 0, f"`ALTER ROLE {SUPPORT} ADD MEMBER [ada]`; `custctl migrate` makes that role"),
        ("SELECT", "customer", 0, 0, f"`ALTER ROLE {SUPPORT} ADD MEMBER [ada]`"),
        ("UPDATE", "customer", 0, None, f"`ALTER ROLE {OPERATOR} ADD MEMBER [ada]`"),
        # One whose role lost the privilege is not told to become a member.
        ("UPDATE", "customer", 1, 1, f"`GRANT UPDATE ON {TABLE} TO {OPERATOR}`"),
        ("ALTER", "customer", 0, 0, f"`ALTER ROLE {ADMIN} ADD MEMBER [ada]`"),
        ("ALTER", "customer", 1, 0, f"`ALTER ROLE db_ddladmin ADD MEMBER {ADMIN}`"),
        ("CREATE", "stock", 1, 0, f"`ALTER ROLE db_ddladmin ADD MEMBER {ADMIN}`"),
    ],
)
def test_what_was_not_denied_has_one_next_step(
    privilege: str, name: str, member: int | None, of_ddl: int | None, step: str
) -> None:
    driver = told([], member=member, of_ddl=of_ddl)
    hint = next_step(cast("Any", driver), privilege, name, "dbo")
    assert hint == f"ask an administrator to run {step}"
    for statement in re.findall(r"`((?:GRANT|ALTER)[^`]*)`", step):
        assert not unparsable(statement)


def test_where_there_is_no_role_for_it_the_owner_is_named() -> None:
    driver = told([], member=1, of_ddl=None)
    assert next_step(cast("Any", driver), "ALTER", "customer", "dbo") == (
        "run it as the database's owner: on this server only the owner has this right"
    )


def test_where_all_is_in_place_nothing_is_guessed() -> None:
    assert next_step(cast("Any", told([], member=1, of_ddl=1)), "ALTER", "customer", "dbo") is None
