"""Number spaces: whose a script is, and what counts as the product's schema."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from custctl.migrations.spaces import is_disputed, space_of
from custctl.schema import statements
from custctl.schema.names import PRODUCT_SCRIPTS
from custctl.schema.tables import journal
from tests.conftest import REPOSITORY


def test_the_list_of_the_products_scripts_is_what_the_folders_hold() -> None:
    found = {
        f"{path.parent.name}/{path.name}"
        for folder in ("migrations", "repeatable")
        for path in (REPOSITORY / "sql").glob(f"*/{folder}/*.sql")
    }
    assert found == set(PRODUCT_SCRIPTS)


@pytest.mark.parametrize(
    ("name", "space"),
    [
        ("migrations/0001_create_customer.sql", "product"),
        ("migrations/0005_renamed.sql", "product"),
        ("migrations/0006_loyalty.sql", "company"),
        ("migrations/0999_loyalty.sql", "company"),
        ("migrations/1000_loyalty.sql", "company"),
        ("migrations/20261129120000_loyalty.sql", "company"),
        ("repeatable/roles.sql", "product"),
        ("repeatable/ours.sql", "company"),
    ],
)
def test_whose_a_script_is(name: str, space: str) -> None:
    assert space_of(name) == space


def test_only_numbers_that_both_may_use_are_disputed() -> None:
    assert [number for number in (1, 5, 6, 999, 1000) if is_disputed(number)] == [6, 999]


def test_the_schemas_version_counts_scripts_of_the_product_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    later = ("migrations/0006_create_more.sql", "migrations/0007_create_most.sql")
    monkeypatch.setattr(statements, "PRODUCT_SCRIPTS", (*PRODUCT_SCRIPTS, *later))
    engine = sa.create_engine("sqlite://")
    held = sa.Table("schema_migration", sa.MetaData(), sa.Column("version", sa.Integer), sa.Column("name", sa.Text))
    with engine.begin() as connection:
        held.create(connection)

        def version(*rows: tuple[int | None, str]) -> int | None:
            connection.execute(sa.delete(held))
            connection.execute(sa.insert(held), [{"version": number, "name": name} for number, name in rows])
            query = sa.select(sa.func.max(statements._product_number())).select_from(journal)
            found: int | None = connection.execute(query).scalar()
            return found

        first = (4, "migrations/0004_create_customer_status.sql")
        assert version(first, (1003, "migrations/1003_loyalty.sql"), (6, "migrations/0006_loyalty.sql")) == 4
        assert version((5, "migrations/0005_renamed.sql"), (None, "repeatable/roles.sql")) == 5
        assert version(first, (6, "migrations/0006_loyalty.sql"), (None, later[0])) == 6
        assert version(first, (7, later[1]), (None, "migrations/0007_loyalty.sql")) == 7
        assert version((1000, "migrations/1000_a.sql")) is None
