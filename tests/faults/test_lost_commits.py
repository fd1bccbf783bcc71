"""A connection that is lost around COMMIT: what is told is what happened, and nothing happens twice."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from custctl.customers import importing, transactions
from tests.conftest import ADA, Result
from tests.faults.conftest import COMMIT, Site, within

SURELY = 40  # seconds: much longer than anything here takes, much shorter than a wait without an end


@dataclass(frozen=True, slots=True)
class Write:
    """A command that writes once.

    Attributes:
        action: what the audit has of it.
        arguments: the command, without its operation id.
        applied: tells whether the database has what it writes.
    """

    action: str
    arguments: tuple[str, ...]
    applied: Callable[[Site], bool]
    stdin: str | None = None

    def run(self, site: Site, operation: str) -> Result:
        """Run it as a given operation."""
        return site.run(*self.arguments, "--operation-id", operation, "-o", "json", stdin=self.stdin)


def _count(site: Site, query: str) -> int:
    return int(site.project.sql(query)[0][0])


WRITES = [
    Write("add", ("customer", "add", "--email", "b@example.com", *ADA[2:]), lambda s: "b@example.com" in s.emails()),
    Write(
        "update",
        ("customer", "update", ADA[1], "--company", "Analytical"),
        lambda s: _count(s, "SELECT count(*) FROM customer WHERE company = 'Analytical'") == 1,
    ),
    Write("delete", ("customer", "delete", ADA[1], "--yes"), lambda s: ADA[1] not in s.emails()),
    Write(
        "set-password",
        ("customer", "set-password", ADA[1], "--stdin"),
        lambda s: _count(s, "SELECT count(*) FROM customer_password") == 1,
        stdin="correct horse battery staple 9\n",
    ),
    Write("seed", ("seed", "--customers", "3"), lambda s: len(s.emails()) == 4),
]


@pytest.fixture
def operation() -> str:
    """A new operation id."""
    return str(uuid.uuid4())


@pytest.fixture(params=WRITES, ids=lambda write: write.action)
def write(request: pytest.FixtureRequest) -> Write:
    """Each kind of write in turn."""
    found: Write = request.param
    return found


@pytest.fixture
def ada(site: Site) -> Site:
    """A site with one customer."""
    site.ok("customer", "add", *ADA)
    return site


def test_a_commit_that_never_arrives_is_told_as_not_written(ada: Site, write: Write, operation: str) -> None:
    ada.proxy.cut_before(COMMIT)
    lost = write.run(ada, operation)
    assert lost.code == 3
    assert "nothing was written" in lost.error["message"]
    assert lost.error["details"] == {"operation_id": operation}
    assert ada.actions() == ["add", "void"]
    assert not write.applied(ada)
    again = write.run(ada, operation)
    if write.action == "seed":
        # It goes on behind the part that was given up.
        assert again.code == 0
        assert ada.actions() == ["add", "void", "seed"]
        return
    assert again.code == 5
    assert "was abandoned when its connection was lost, and was not applied" in again.error["message"]
    assert not write.applied(ada)
    assert write.run(ada, str(uuid.uuid4())).code == 0
    assert write.applied(ada)


def test_a_commit_whose_answer_is_lost_is_told_as_done(ada: Site, write: Write, operation: str) -> None:
    ada.proxy.cut_answer(COMMIT)
    done = write.run(ada, operation)
    assert done.code == 0, done.err
    assert ada.proxy.stats.cut == 1
    assert write.applied(ada)
    assert ada.actions() == ["add", write.action]
    again = write.run(ada, operation)
    assert again.code == 0
    assert ada.actions() == ["add", write.action]


def test_the_row_that_is_shown_is_the_one_that_was_committed(site: Site) -> None:
    site.proxy.cut_answer(COMMIT)
    shown = site.ok("customer", "add", *ADA, "-o", "json").json
    assert site.ok("customer", "get", ADA[1], "-o", "json").json == shown


@pytest.mark.parametrize("arrives", [False, True])
def test_an_outcome_that_cannot_be_learnt_is_told_as_unknown(
    ada: Site, write: Write, operation: str, arrives: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "_PATIENCE", 0.5)
    with ada.unreachable_after_fault() as proxy:
        (proxy.cut_answer if arrives else proxy.cut_before)(COMMIT)
        with within(SURELY):
            lost = write.run(ada, operation)
    assert lost.code == 13
    assert "whether it was written is unknown" in lost.error["message"]
    assert operation in lost.error["hint"]
    assert "--operation-id" in lost.error["hint"]
    assert ada.ok("audit", "list", "--operation", operation, "-o", "json").json["items"] == [] or arrives
    for _ in range(2):
        again = write.run(ada, operation)
        assert again.code == 0, again.err
    assert write.applied(ada)
    assert ada.actions() == ["add", write.action]


@pytest.mark.parametrize("fault", ["freeze_on", "freeze_answer"])
def test_a_commit_that_hangs_is_resolved_too(ada: Site, operation: str, fault: str) -> None:
    ada.profile(statement_timeout="2s", connect_timeout="2s")
    getattr(ada.proxy, fault)(COMMIT)
    with within(2 + 4):
        done = WRITES[1].run(ada, operation)
    assert ada.proxy.stats.frozen == 1
    if fault == "freeze_on":
        assert done.code == 3
        assert "nothing was written" in done.error["message"]
        assert ada.actions() == ["add", "void"]
    else:
        assert done.code == 0
        assert done.json["company"] == "Analytical"
        assert ada.actions() == ["add", "update"]


@pytest.mark.parametrize("fault", ["cut_before", "cut_answer"])
def test_an_operation_is_given_up_even_where_that_is_lost_too(ada: Site, operation: str, fault: str) -> None:
    ada.proxy.cut_before(COMMIT)
    getattr(ada.proxy, fault)(COMMIT, 2)
    lost = WRITES[1].run(ada, operation)
    assert ada.proxy.stats.cut == 2
    assert lost.code == 3
    assert "nothing was written" in lost.error["message"]
    assert ada.actions() == ["add", "void"]


# -- several transactions --------------------------------------------------------------------------

ROWS = 10


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A file of ten rows, four of which make a batch."""
    monkeypatch.setattr(importing, "BATCH", 4)
    path = tmp_path / "rows.csv"
    rows = "".join(f"c{number}@example.com,Cee,Number {number}\n" for number in range(ROWS))
    path.write_text(f"email,first_name,last_name\n{rows}")
    return str(path)


def _commits_of_an_import(site: Site, path: str) -> int:
    """Return how many commits there are, by counting them on the way."""
    site.proxy.cut_before(COMMIT, nth=1000)
    site.ok("customer", "import", path)
    (rule,) = site.proxy._rules
    site.proxy._rules.clear()
    site.project.sql(
        "TRUNCATE customer, customer_account, customer_audit, customer_import, customer_password RESTART IDENTITY"
    )
    return 1000 - rule.left


@pytest.mark.parametrize("fault", ["cut_before", "cut_answer"])
def test_an_import_loses_and_doubles_no_row_wherever_a_commit_is_lost(site: Site, batches: str, fault: str) -> None:
    commits = _commits_of_an_import(site, batches)
    # One that only looks where an earlier run stopped, and three batches.
    assert commits == 4
    lost = []
    for nth in range(1, commits + 1):
        name = str(uuid.uuid4())
        getattr(site.proxy, fault)(COMMIT, nth)
        arguments = ("customer", "import", batches, "--operation-id", name, "-o", "json")
        result = site.run(*arguments)
        if result.code == 0:
            assert result.json["inserted"] == ROWS
        else:
            lost.append(nth)
            assert result.code == 3, result.err
            assert "nothing was written" in result.error["message"]
            assert len(site.emails()) < ROWS
            again = site.run(*arguments)
            assert again.code == 0, again.err
            assert again.json["inserted"] == ROWS
        assert site.emails() == [f"c{number}@example.com" for number in range(ROWS)]
        assert site.ok("customer", "import", batches, "--operation-id", name, "-o", "json").json["inserted"] == ROWS
        assert len(site.emails()) == ROWS
        site.ok("audit", "verify")
        site.project.sql(
            "TRUNCATE customer, customer_account, customer_audit, customer_import, customer_password RESTART IDENTITY"
        )
    assert lost == ([2, 3, 4] if fault == "cut_before" else [])


def test_an_import_whose_server_goes_away_says_what_it_has_committed(site: Site, batches: str) -> None:
    with site.unreachable_after_fault() as proxy:
        # A row of the second batch.
        proxy.cut_before(b"c5@example.com")
        lost = site.run("customer", "import", batches)
    landed = len(site.emails())
    assert lost.code == 3, lost.err
    assert landed == 4
    assert f"before the error, {landed} rows processed and committed: {landed} inserted" in lost.err


def test_a_seed_of_several_batches_is_whole_in_the_end(
    site: Site, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custctl.migrations.seeding._BATCH", 4)
    site.proxy.cut_before(COMMIT, 2)
    arguments = ("seed", "--customers", "10", "--operation-id", operation, "-o", "json")
    assert site.run(*arguments).code == 3
    assert len(site.emails()) == 4
    site.proxy.cut_answer(COMMIT, 1)
    assert site.run(*arguments).code == 0
    assert len(set(site.emails())) == 10
    assert site.actions() == ["seed", "void", "seed", "seed"]
