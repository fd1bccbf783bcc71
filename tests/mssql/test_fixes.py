"""What fixes a constraint of SQL Server: each statement must succeed whatever logins have written the rows that are there."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from custctl.engines.mssql.fixes import fixes
from custctl.engines.mssql.made import MADE
from custctl.schema.shape import CHECK, FOREIGN_KEY, Facts, Key, Shape, compare

OF_LOGIN = Key(CHECK, "customer_audit", "customer_audit_database_login_check")
PLAIN = Key(CHECK, "customer", "customer_city_length")
REFERENCE = Key(FOREIGN_KEY, "customer_password", "customer_password_customer")
EXPECTED: Shape = {Key(*names): facts for things in MADE.values() for *names, facts in things}
AS_MADE = {"enabled": "yes", "validated": "yes"}


def repaired(key: Key, found: Facts | None, expected: Mapping[str, str] | None = None) -> list[str]:
    """Return what fixes a constraint.

    Args:
        found: its facts; None if it is missing.
        expected: facts that it should have in place of those that our script makes.
    """
    shape = {**EXPECTED, key: {**EXPECTED[key], **(expected or {})}}
    there = {each: {**facts, **AS_MADE} for each, facts in EXPECTED.items() if each != key}
    if found is not None:
        there[key] = {**EXPECTED[key], **found}
    return [
        statement
        for fix in fixes(compare(shape, there), shape, there)
        for statement in fix.statements
        if not statement.startswith("UPDATE ")
    ]


@pytest.mark.parametrize("key", [PLAIN, REFERENCE])
@pytest.mark.parametrize("found", [{"enabled": "no", "validated": "no"}, {"enabled": "yes", "validated": "no"}])
def test_rows_that_were_not_validated_are_validated(key: Key, found: Facts) -> None:
    assert repaired(key, found) == [f"ALTER TABLE [{key.table}] WITH CHECK CHECK CONSTRAINT [{key.name}]"]


def test_the_check_of_the_login_is_never_validated_again() -> None:
    assert repaired(OF_LOGIN, {"enabled": "yes", "validated": "no"}) == []
    assert repaired(OF_LOGIN, {"enabled": "yes", "validated": "yes"}) == []
    assert repaired(OF_LOGIN, {"enabled": "no", "validated": "no"}) == [
        "ALTER TABLE [customer_audit] WITH NOCHECK CHECK CONSTRAINT [customer_audit_database_login_check]"
    ]
    [statement] = repaired(OF_LOGIN, None)
    assert statement.startswith(
        "ALTER TABLE [customer_audit] WITH NOCHECK ADD CONSTRAINT [customer_audit_database_login_check] CHECK ("
    )


@pytest.mark.parametrize("key", [PLAIN, REFERENCE])
def test_a_missing_constraint_validates_as_the_script_did(key: Key) -> None:
    [validating] = repaired(key, None)
    assert validating.startswith(f"ALTER TABLE [{key.table}] ADD CONSTRAINT [{key.name}] ")
    [not_validating] = repaired(key, None, {"validated": "no"})
    assert not_validating == validating.replace(" ADD ", " WITH NOCHECK ADD ")
