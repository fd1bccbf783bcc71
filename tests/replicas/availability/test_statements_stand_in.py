"""The statements that availability groups are seen and steered with, collected on stand-ins: documented, and no others.

`CUSTCTL_UPDATE_GOLDEN=1` writes the collected ones anew.
"""

from __future__ import annotations

import os
import re

import pytest

from tests.conftest import REPOSITORY
from tests.mssql.conftest import unparsable
from tests.replicas.availability.conftest import Make
from tests.replicas.availability.group_stand_in import ASYNCHRONOUS, fail_over, switch

EXPECTED = REPOSITORY / "tests" / "mssql" / "expected" / "availability.sql"

LEARN = "https://learn.microsoft.com/sql/"
DOCUMENTED = {
    r"ALTER AVAILABILITY GROUP \[ag\] (FAILOVER|FORCE_FAILOVER_ALLOW_DATA_LOSS|OFFLINE)": (
        "t-sql/statements/alter-availability-group-transact-sql"
    ),
    r"ALTER AVAILABILITY GROUP \[ag\] MODIFY REPLICA ON N'\w+' WITH"
    r" \(AVAILABILITY_MODE = (A?SYNCHRONOUS_COMMIT)\)": "t-sql/statements/alter-availability-group-transact-sql",
    # In the reference's syntax the parentheses are around it; a tutorial of 2018 leaves them out.
    r"ALTER AVAILABILITY GROUP \[ag\] SET \(REQUIRED_SYNCHRONIZED_SECONDARIES_TO_COMMIT = \d\)": (
        "t-sql/statements/alter-availability-group-transact-sql"
    ),
    r"ALTER AVAILABILITY GROUP \[ag\] SET \(ROLE = SECONDARY\)": (
        "database-engine/availability-groups/windows/"
        "perform-a-planned-manual-failover-of-an-availability-group-sql-server#ReadScaleOutOnly"
    ),
    r"ALTER DATABASE \[shop\] SET HADR RESUME": "t-sql/statements/alter-database-transact-sql-set-hadr",
}
"""What SQLFluff does not know, in the forms that the page below `LEARN` gives."""


@pytest.fixture
def collected(make: Make) -> list[str]:
    """Return every statement about the group, once, in the order in which they come."""
    project, group = make()
    group.replicas["sql2"].mode = ASYNCHRONOUS
    assert switch(project)[0] == 0
    asked = group.asked
    group.asked = []
    group.replicas["sql2"].down = True
    assert fail_over(project, "--to", "sql1", "--primary-is-stopped", "--allow-data-loss")[0] == 0
    asked += group.asked
    project, group = make("WSFC")
    assert switch(project)[0] == 0
    return list(dict.fromkeys(re.sub(r"custctl:[0-9a-f]{40}", "custctl:…", text) for text in asked + group.asked))


def test_what_is_asked_of_the_stand_ins_is_what_it_was(collected: list[str]) -> None:
    """A change of any statement is seen, and looked at by whoever made it."""
    text = "".join(f"{statement}\nGO\n" for statement in collected)
    if os.environ.get("CUSTCTL_UPDATE_GOLDEN"):
        EXPECTED.write_text(text)
    assert text == EXPECTED.read_text()


def test_every_statement_to_the_stand_ins_is_t_sql_or_in_the_words_of_the_documentation(collected: list[str]) -> None:
    altering = [statement for statement in collected if statement.startswith("ALTER")]
    assert not [each for each in altering if not any(re.fullmatch(form, each) for form in DOCUMENTED)]
    assert not [form for form in DOCUMENTED if not any(re.fullmatch(form, each) for each in altering)]
    assert not {each: found for each in collected if each not in altering and (found := unparsable(each))}
