"""A connection that is lost under `migrate`: what is told of the scripts is true, and a rerun converges."""

from __future__ import annotations

from pathlib import Path

import pytest

from custctl.migrations import steps
from tests.conftest import Project
from tests.faults.conftest import COMMIT, Site, meanwhile, wait_for_standbys, wait_until, within
from tests.inside import Inside
from tests.servers.postgresql import PostgresqlServer
from tests.servers.projects import on_engine, postgresql_place
from tests.servers.proxy import Proxy

SCRIPTS = {
    "0001_a": "CREATE TABLE a (x INTEGER);\nINSERT INTO a VALUES (1);\n",
    "0002_b": "CREATE TABLE b (x INTEGER);\nINSERT INTO b VALUES (1);\nINSERT INTO b VALUES (2);\n",
    "0003_c": "CREATE TABLE c (x INTEGER);\nINSERT INTO c VALUES (1);\n",
}
ONE_BY_ONE = (
    "-- custctl: transaction=off\n"
    "INSERT INTO b VALUES (3);\n"
    "CREATE INDEX CONCURRENTLY b_x ON b (x);\n"
    "INSERT INTO b VALUES (4);\n"
)


@pytest.fixture
def shop(empty_site: Site) -> Site:
    """A site with scripts of its own."""
    return with_scripts(empty_site)


def with_scripts(site: Site) -> Site:
    """Give a site scripts of its own."""
    site.project.environ.pop("CUSTCTL_SQL_DIR")
    folder = site.project.path / "sql" / "postgresql" / "migrations"
    folder.mkdir(parents=True)
    for name, text in SCRIPTS.items():
        (folder / f"{name}.sql").write_text(text)
    return site


def _folder(shop: Site) -> Path:
    return shop.project.path / "sql" / "postgresql"


def _journal(shop: Site) -> list[tuple[str, str]]:
    rows = shop.project.sql("SELECT name, state FROM schema_migration ORDER BY id")
    return [(name.split("/")[-1].removesuffix(".sql"), state) for name, state in rows]


def _values(shop: Site, table: str) -> list[int]:
    return [x for (x,) in shop.project.sql(f"SELECT x FROM {table} ORDER BY x")]


def _all_is_well(shop: Site) -> None:
    shop.ok("migrate")
    assert _journal(shop) == [(name, "applied") for name in SCRIPTS]
    assert (_values(shop, "a"), _values(shop, "b"), _values(shop, "c")) == ([1], [1, 2], [1])
    assert shop.project.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]


# The first commit is the journal's own.
@pytest.mark.parametrize("nth", [2, 3, 4])
def test_a_script_whose_commit_never_arrives_is_told_as_not_applied(shop: Site, nth: int) -> None:
    shop.proxy.cut_before(COMMIT, nth)
    lost = shop.run("migrate", "-o", "json")
    assert lost.code == 3
    name = list(SCRIPTS)[nth - 2]
    assert lost.error["message"].startswith(f"migrations/{name}.sql:")
    assert "the connection to node `a`" in lost.error["message"]
    assert "was lost while it committed; none of it was kept" in lost.error["message"]
    assert lost.error["details"]["script"] == f"migrations/{name}.sql"
    assert _journal(shop) == [(each, "applied") for each in list(SCRIPTS)[: nth - 2]]
    _all_is_well(shop)


@pytest.mark.parametrize("nth", [2, 3, 4])
def test_a_script_whose_commit_is_not_answered_is_told_as_applied(shop: Site, nth: int) -> None:
    shop.proxy.cut_answer(COMMIT, nth)
    done = shop.ok("migrate", "-o", "json").json
    assert shop.proxy.stats.cut == 1
    assert [each["version"] for each in done["applied"]] == [1, 2, 3]
    assert (done["from"], done["to"]) == (None, 3)
    _all_is_well(shop)


@pytest.mark.parametrize("fault", ["cut_before", "cut_answer"])
def test_a_journal_whose_commit_is_lost_is_made_by_the_next_run(shop: Site, fault: str) -> None:
    getattr(shop.proxy, fault)(COMMIT)
    lost = shop.run("migrate", "-o", "json")
    assert lost.code == 3
    assert lost.error["message"].endswith("was lost while it committed; no script was applied")
    _all_is_well(shop)


@pytest.mark.parametrize("arrives", [False, True])
def test_a_script_of_which_nothing_can_be_learnt_is_told_as_unknown(
    shop: Site, arrives: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "_PATIENCE", 0.5)
    with shop.unreachable_after_fault() as proxy:
        (proxy.cut_answer if arrives else proxy.cut_before)(COMMIT, 3)
        with within(20):
            lost = shop.run("migrate", "-o", "json")
    assert lost.code == 13
    assert "migrations/0002_b.sql" in lost.error["message"]
    assert "whether it is applied is unknown" in lost.error["message"]
    assert "this run applied 1 script, up to `migrations/0001_a.sql`" in lost.error["message"]
    assert "custctl migrate status" in lost.error["hint"]
    assert len(_journal(shop)) == (2 if arrives else 1)
    _all_is_well(shop)


def test_a_script_whose_session_still_commits_is_waited_for(project: Project, own_postgresql: PostgresqlServer) -> None:
    """The backend goes on with what it got; that its lock is free tells that it has ended."""
    made = on_engine(project, postgresql_place(own_postgresql))
    with Proxy(own_postgresql.host, own_postgresql.port) as proxy:
        site = Site(made, Inside(made.path, made.environ), proxy)
        site.profile()
        shop = with_scripts(site)
        # Only the commit of the second script waits: for a standby that there is not.
        made.sql(f"ALTER DATABASE {made.names['dev']} SET synchronous_commit = local")
        script = _folder(shop) / "migrations" / "0002_b.sql"
        script.write_text(f"SET LOCAL synchronous_commit = on;\n{SCRIPTS['0002_b']}")
        wait_for_standbys(own_postgresql, "nobody")

        def cut() -> None:
            query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            wait_until(lambda: made.sql(query) == [(1,)])
            proxy.drop()
            # By now the next session asks for the lock.
            wait_until(
                lambda: made.sql("SELECT count(*) FROM pg_stat_activity WHERE query ~ 'advisory_lock'") != [(0,)]
            )
            wait_for_standbys(own_postgresql, "")

        with meanwhile(cut):
            done = shop.ok("migrate", "-o", "json").json
        assert [each["version"] for each in done["applied"]] == [1, 2, 3]
        assert _values(shop, "b") == [1, 2]
    made.drop()


@pytest.mark.parametrize("fault", ["cut_before", "cut_answer"])
@pytest.mark.parametrize("message", [b"INSERT INTO b VALUES (1)", b"CREATE TABLE b", b"CREATE TABLE IF NOT EXISTS"])
def test_a_cut_in_the_midst_of_a_script_leaves_nothing(shop: Site, fault: str, message: bytes) -> None:
    getattr(shop.proxy, fault)(message)
    lost = shop.run("migrate", "-o", "json")
    assert lost.code == 3, lost.err
    assert "the connection to node `a`" in lost.error["message"]
    if b" b" in message:
        assert "none of it was kept" in lost.error["message"]
        assert _journal(shop) == [("0001_a", "applied")]
    _all_is_well(shop)


@pytest.mark.parametrize("fault", ["cut_before", "cut_answer"])
def test_a_script_that_runs_statement_by_statement_converges_wherever_it_is_cut(shop: Site, fault: str) -> None:
    shop.ok("migrate")
    path = _folder(shop) / "migrations" / "0004_d.sql"
    path.write_text(ONE_BY_ONE)
    cuts = [(COMMIT, nth) for nth in range(1, 7)]
    cuts += [(b"INSERT INTO b VALUES (3)", 1), (b"CREATE INDEX CONCURRENTLY", 1), (b"INSERT INTO b VALUES (4)", 1)]
    for message, nth in cuts:
        getattr(shop.proxy, fault)(message, nth)
        lost = shop.run("migrate", "-o", "json")
        assert shop.proxy.pending == 0, f"there is no {nth} of {message!r}"
        assert lost.code in (0, 3), lost.err
        if lost.code == 0:
            assert message == COMMIT
        again = shop.ok("migrate", "-o", "json").json
        assert lost.code == 3 or again["applied"] == []
        assert _journal(shop)[-1] == ("0004_d", "applied")
        assert _values(shop, "b") == [1, 2, 3, 4]
        assert shop.project.sql("SELECT indisvalid FROM pg_index WHERE indexrelid = 'b_x'::regclass") == [(True,)]
        shop.project.sql("DROP INDEX b_x; DELETE FROM b WHERE x > 2; DELETE FROM schema_migration WHERE version = 4")


@pytest.mark.parametrize("fault", ["cut_before", "cut_answer"])
def test_a_seed_whose_commit_is_lost_is_told_as_it_is(site: Site, fault: str) -> None:
    getattr(site.proxy, fault)(COMMIT)
    result = site.run("seed", "--set", "demo", "-o", "json")
    if fault == "cut_before":
        assert result.code == 3
        assert "none of it was kept" in result.error["message"]
        assert site.emails() == []
        site.ok("seed", "--set", "demo")
    else:
        assert result.code == 0, result.err
    assert site.emails()
    assert site.actions().count("seed") == 1
