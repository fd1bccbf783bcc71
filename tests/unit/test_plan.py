"""The plan: what a run would do, from scripts and journal alone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from custctl.engines import open_database
from custctl.engines.base import Database, EngineSettings
from custctl.migrations.journal import Record
from custctl.migrations.plan import (
    Plan,
    Step,
    check_plan,
    expand_only,
    lint_script,
    make_plan,
    make_seed_plan,
    split_script,
)
from custctl.migrations.scripts import Kind, Script, ScriptSet, checksum
from custctl.support.errors import MigrationError, UsageError


def script(
    version: int | None, text: str = "SELECT 1;\n", *, kind: Kind = "versioned", name: str | None = None
) -> Script:
    name = name or f"migrations/{version:04d}_x.sql"
    return Script(kind, version, "x", name, Path(name), text, checksum(text))


def repeatable(stem: str, text: str = "SELECT 1;\n") -> Script:
    return script(None, text, kind="repeatable", name=f"repeatable/{stem}.sql")


def seed(stem: str, text: str = "SELECT 1;\n") -> Script:
    return script(None, text, kind="seed", name=f"seed/reference/{stem}.sql")


def record(of: Script, state: str = "applied", *, applied: int = 1, in_flight: int | None = None) -> Record:
    return Record(
        id=of.version or 0,
        version=of.version,
        name=of.name,
        description=of.description,
        kind=of.kind,
        checksum=of.checksum,
        script=of.text,
        state=state,
        statements_applied=applied,
        statements_total=1,
        in_flight=in_flight,
        error=None,
        started_at="2026-01-01T00:00:00.000Z",
        finished_at=None,
        duration_ms=None,
        applied_by="me@here",
        tool_version="1",
    )


def plan(
    scripts: Iterable[Script],
    records: Iterable[Record] = (),
    *,
    environment: str = "development",
    features: Iterable[str] = (),
    target: int | None = None,
) -> Plan:
    scripts = list(scripts)
    versioned = tuple(s for s in scripts if s.kind == "versioned")
    others = tuple(s for s in scripts if s.kind == "repeatable")
    return make_plan(
        ScriptSet(versioned, others),
        list(records),
        environment=environment,
        features=frozenset(features),
        target=target,
    )


def told(made: Plan) -> list[tuple[str, str]]:
    return [(step.script.name, step.reason) for step in made.steps]


def states(made: Plan) -> list[str]:
    return [entry.state for entry in made.entries]


def test_on_an_empty_journal_everything_is_pending_and_repeatable_scripts_come_last() -> None:
    made = plan([script(1), script(2), repeatable("a")])
    assert told(made) == [
        ("migrations/0001_x.sql", "pending"),
        ("migrations/0002_x.sql", "pending"),
        ("repeatable/a.sql", "pending"),
    ]
    assert made.newest is None
    assert made.reaches == 2


@pytest.mark.parametrize("kind", ["versioned", "repeatable", "seed"])
def test_directives_are_read_only_of_what_may_run(kind: Kind) -> None:
    of = script(1 if kind == "versioned" else None, "-- custctl: nonsense\n", kind=kind, name="migrations/0001_x.sql")
    with pytest.raises(MigrationError, match="unknown directive `nonsense`"):
        _ = of.directives

    def steps(records: list[Record]) -> tuple[Step, ...]:
        if kind == "seed":
            return make_seed_plan([of], records, environment="test", features=frozenset())
        return plan([of], records).steps

    # A later release may refuse what an earlier one has applied.
    assert steps([record(of)]) == ()
    with pytest.raises(MigrationError, match="unknown directive `nonsense`"):
        steps([])


def test_what_is_applied_or_a_baseline_is_not_run_again() -> None:
    made = plan([script(1), script(2), script(3)], [record(script(1), "baseline"), record(script(2))])
    assert told(made) == [("migrations/0003_x.sql", "pending")]
    assert states(made) == ["baseline", "applied", "pending"]
    assert (made.newest, made.reaches) == (2, 3)


def test_where_nothing_is_pending_the_plan_is_empty_and_reaches_where_it_is() -> None:
    made = plan([script(1)], [record(script(1))])
    assert made.steps == ()
    assert made.reaches == 1


@pytest.mark.parametrize("state", ["failed", "running"])
def test_a_script_that_stopped_is_resumed_after_its_last_good_statement(state: str) -> None:
    made = plan([script(1)], [record(script(1), state, applied=3, in_flight=3)])
    step = made.steps[0]
    assert (step.reason, step.resume_at, step.in_flight) == ("resume", 3, 3)
    assert states(made) == [state]
    assert made.newest is None, "what has not ended does not count as the newest"


def test_a_pending_script_starts_at_the_beginning_whatever_its_record_says() -> None:
    step = plan([script(1)]).steps[0]
    assert (step.resume_at, step.in_flight) == (0, None)


def test_a_changed_script_is_drift_and_shown_as_a_diff() -> None:
    made = plan([script(1, "SELECT 1;\nSELECT 3;\n")], [record(script(1, "SELECT 1;\nSELECT 2;\n"))])
    assert states(made) == ["drifted"]
    assert made.steps == ()
    with pytest.raises(MigrationError, match=r"`migrations/0001_x\.sql`") as caught:
        check_plan(made, allow_out_of_order=True)
    assert "\n-SELECT 2;\n+SELECT 3;" in caught.value.message
    assert caught.value.details["drifted"][0]["script"] == "migrations/0001_x.sql"


def test_drift_above_the_target_counts_too() -> None:
    made = plan([script(1), script(2, "SELECT 9;")], [record(script(1)), record(script(2))], target=1)
    assert [drift.script.version for drift in made.drifted] == [2]


def test_a_baseline_drifts_as_well() -> None:
    assert states(plan([script(1, "SELECT 2;")], [record(script(1), "baseline")])) == ["drifted"]


@pytest.mark.parametrize("state", ["failed", "running"])
def test_a_repeatable_script_that_did_not_end_is_run_again_with_the_same_text(state: str) -> None:
    made = plan([repeatable("views")], [record(repeatable("views"), state)])
    assert told(made) == [("repeatable/views.sql", "resume")]
    assert states(made) == ["pending"]


def test_a_failed_script_may_be_changed_without_being_drift() -> None:
    made = plan([script(1, "SELECT 2;")], [record(script(1), "failed", applied=0)])
    assert made.drifted == ()
    assert told(made) == [("migrations/0001_x.sql", "resume")]


def test_a_script_that_is_gone_is_missing_whatever_its_kind() -> None:
    made = plan([script(2)], [record(script(1)), record(script(2)), record(repeatable("gone"))])
    assert [entry.name for entry in made.missing] == ["migrations/0001_x.sql", "repeatable/gone.sql"]
    assert states(made) == ["applied", "missing", "missing"]


def test_seeds_in_the_journal_are_not_missing_migrations() -> None:
    assert plan([script(1)], [record(script(1)), record(seed("a"))]).missing == ()


def test_a_renamed_script_of_the_same_number_and_text_is_the_same_script() -> None:
    made = plan([script(1, name="migrations/0001_better.sql")], [record(script(1))])
    assert (states(made), made.missing) == (["applied"], ())


def test_a_late_number_is_named_and_refused_unless_allowed() -> None:
    made = plan([script(1), script(2), script(3)], [record(script(1)), record(script(3))])
    assert [late.version for late in made.late] == [2]
    with pytest.raises(MigrationError, match=r"`migrations/0002_x\.sql` is pending below 3") as caught:
        check_plan(made, allow_out_of_order=False)
    assert "--allow-out-of-order" in (caught.value.hint or "")
    check_plan(made, allow_out_of_order=True)
    assert told(made) == [("migrations/0002_x.sql", "pending")]
    assert made.reaches == 3


def test_several_late_numbers_are_named_in_the_plural() -> None:
    made = plan([script(1), script(2), script(3)], [record(script(3))])
    with pytest.raises(MigrationError, match=r"0001_x\.sql`, `migrations/0002_x\.sql` are pending below 3"):
        check_plan(made, allow_out_of_order=False)


def test_a_script_that_stopped_below_the_newest_is_resumed_and_not_late() -> None:
    made = plan([script(1), script(2)], [record(script(1), "failed"), record(script(2))])
    assert made.late == ()
    assert told(made) == [("migrations/0001_x.sql", "resume")]


def test_late_above_the_target_does_not_count() -> None:
    made = plan([script(1), script(2), script(3)], [record(script(3))], target=1)
    assert [late.version for late in made.late] == [1]


def test_the_target_is_the_last_number_and_holds_repeatable_scripts_back() -> None:
    made = plan([script(1), script(2), repeatable("a")], target=1)
    assert told(made) == [("migrations/0001_x.sql", "pending")]
    assert made.reaches == 1
    assert states(made) == ["pending", "pending", "pending"]


def test_a_target_below_the_newest_plans_nothing_and_reaches_no_less() -> None:
    made = plan([script(1), script(2)], [record(script(1)), record(script(2))], target=1)
    assert (made.steps, made.reaches) == ((), 2)


def test_a_target_that_no_script_has_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no script has number 7"):
        plan([script(1)], target=7)


def test_a_repeatable_script_runs_again_when_its_text_changes_and_is_never_drift() -> None:
    made = plan([repeatable("a", "SELECT 2;"), repeatable("b")], [record(repeatable("a")), record(repeatable("b"))])
    assert told(made) == [("repeatable/a.sql", "changed")]
    assert states(made) == ["pending", "applied"]
    assert made.drifted == ()
    assert made.steps[0].resume_at == 0


@pytest.mark.parametrize("environment", ["development", "test", "staging", "production"])
def test_scripts_for_other_environments_are_left_out(environment: str) -> None:
    only = "-- custctl: environments=development,test\nSELECT 1;\n"
    made = plan([script(1, only), repeatable("a", only)], environment=environment)
    meant = environment in ("development", "test")
    assert len(made.steps) == (2 if meant else 0)
    assert states(made) == (["pending"] * 2 if meant else ["left-out"] * 2)


def test_a_left_out_script_is_not_late() -> None:
    left_out = script(1, "-- custctl: environments=test\nSELECT 1;\n")
    assert plan([left_out, script(2)], [record(script(2))], environment="production").late == ()


@pytest.mark.parametrize("header", ["environments=test", "requires=fts5"])
def test_a_left_out_script_that_comes_to_apply_is_late_where_it_has_a_number(header: str) -> None:
    text = f"-- custctl: {header}\nSELECT 1;\n"
    scripts, records = [script(1, text), script(2), repeatable("a", text)], [record(script(2))]
    before = plan(scripts, records)
    assert (told(before), before.late) == ([], ())
    now = plan(scripts, records, environment="test", features=["fts5"])
    assert told(now) == [("migrations/0001_x.sql", "pending"), ("repeatable/a.sql", "pending")]
    assert [late.name for late in now.late] == ["migrations/0001_x.sql"]
    with pytest.raises(MigrationError, match="is pending below 2") as refused:
        check_plan(now, allow_out_of_order=False)
    assert refused.value.details["late"] == ["migrations/0001_x.sql"]
    check_plan(now, allow_out_of_order=True)


def test_scripts_that_require_what_the_engine_lacks_are_left_out() -> None:
    needs = script(1, "-- custctl: requires=fts5,json\nSELECT 1;\n")
    assert plan([needs], features=["fts5"]).steps == ()
    assert len(plan([needs], features=["fts5", "json", "more"]).steps) == 1


def test_what_was_applied_while_the_feature_was_there_stays_applied() -> None:
    needs = script(1, "-- custctl: requires=fts5\nSELECT 1;\n")
    assert states(plan([needs], [record(needs)])) == ["applied"]


def test_seeds_run_when_they_are_new_or_changed_or_stopped() -> None:
    scripts = [seed("done"), seed("new"), seed("changed", "SELECT 2;"), seed("stopped")]
    records = [record(seed("done")), record(seed("changed")), record(seed("stopped"), "failed")]
    steps = make_seed_plan(scripts, records, environment="test", features=frozenset())
    assert [(step.script.description, step.script.name.split("/")[-1], step.reason) for step in steps] == [
        ("x", "new.sql", "pending"),
        ("x", "changed.sql", "changed"),
        ("x", "stopped.sql", "resume"),
    ]


def test_seeds_for_other_environments_are_left_out() -> None:
    only = seed("a", "-- custctl: environments=test\nSELECT 1;\n")
    assert make_seed_plan([only], [], environment="production", features=frozenset()) == ()


_STATES = st.sampled_from(["applied", "baseline", "failed", "running"])


@settings(max_examples=2 * settings().max_examples)
@given(
    on_disk=st.sets(st.integers(1, 12)),
    journalled=st.dictionaries(st.integers(1, 12), st.tuples(_STATES, st.booleans())),
    target=st.none() | st.integers(1, 12),
)
def test_every_script_is_planned_done_or_named(
    on_disk: set[int], journalled: dict[int, tuple[str, bool]], target: int | None
) -> None:
    scripts = [script(number) for number in sorted(on_disk)]
    records = [
        record(script(number, "SELECT 2;" if changed else "SELECT 1;\n"), state)
        for number, (state, changed) in journalled.items()
    ]
    if target is not None and target not in on_disk:
        with pytest.raises(UsageError):
            plan(scripts, records, target=target)
        return
    made = plan(scripts, records, target=target)
    done = {number for number, (state, _) in journalled.items() if state in ("applied", "baseline")}
    steps = [step.script.version or 0 for step in made.steps]
    assert steps == sorted(n for n in on_disk - done if target is None or n <= target)
    assert {entry.version for entry in made.missing} == journalled.keys() - on_disk
    assert {drift.script.version for drift in made.drifted} == {n for n in done & on_disk if journalled[n][1]}
    assert {entry.version for entry in made.entries} == on_disk | journalled.keys()
    newest = max(done, default=None)
    late = {n for n in steps if n not in journalled and any(n < m for m in done if (m <= 5) == (n <= 5))}
    assert {entry.version for entry in made.late} == late
    assert made.newest == newest
    assert made.reaches == max([*steps, *done], default=None)


class Life(RuleBasedStateMachine):
    """A project over the years: scripts are written, runs come through or stop, repeatable texts change."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: dict[str, Script] = {}
        self.records: dict[str, Record] = {}
        self.runs: dict[str, list[str]] = {}

    def made(self) -> Plan:
        ordered = sorted(self.scripts.values(), key=lambda s: (s.version is None, s.version or 0, s.name))
        return plan(ordered, self.records.values())

    @rule()
    def write_script(self) -> None:
        number = 1 + sum(s.version is not None for s in self.scripts.values())
        made = script(number)
        self.scripts[made.name] = made

    @rule(stem=st.sampled_from("ab"), text=st.sampled_from(["SELECT 1;", "SELECT 2;", "SELECT 3;"]))
    def write_repeatable(self, stem: str, text: str) -> None:
        made = repeatable(stem, text)
        self.scripts[made.name] = made

    @precondition(lambda self: self.made().steps)
    @rule(count=st.integers(0, 5), stops=st.booleans())
    def run(self, count: int, stops: bool) -> None:
        made = self.made()
        check_plan(made, allow_out_of_order=False)
        for step in made.steps[:count]:
            self.records[step.script.name] = record(step.script)
            self.runs.setdefault(step.script.name, []).append(step.script.text)
        if stops and count < len(made.steps):
            stopped = made.steps[count].script
            self.records[stopped.name] = record(stopped, "failed", applied=0)

    @invariant()
    def nothing_stands_in_the_way(self) -> None:
        made = self.made()
        assert not (made.late or made.drifted or made.missing)

    @invariant()
    def a_versioned_script_runs_once(self) -> None:
        for name, texts in self.runs.items():
            assert len(texts) == 1 or self.scripts[name].version is None

    @invariant()
    def a_run_to_the_end_leaves_nothing_to_do(self) -> None:
        records = dict(self.records)
        for step in self.made().steps:
            records[step.script.name] = record(step.script)
        assert plan(self.scripts.values(), records.values()).steps == ()


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=40, stateful_step_count=20)


def test_where_an_earlier_run_stopped_matters_only_to_the_script_that_resumes() -> None:
    one = script(1)
    (resumed,) = plan([one], [record(one, "failed", applied=1, in_flight=1)]).steps
    assert (resumed.resume_at, resumed.in_flight) == (1, 1)
    again = repeatable("views", "SELECT 2;\n")
    (changed,) = plan([again], [record(repeatable("views"), applied=1, in_flight=1)]).steps
    assert (changed.resume_at, changed.in_flight) == (0, None)


def test_the_products_schema_is_not_measured_by_a_companys_numbers() -> None:
    product, company = script(2, name="migrations/0002_create_customer_password.sql"), script(1000)
    assert plan([product, company, repeatable("roles")]).product_reaches == 2
    assert plan([company]).product_reaches is None
    assert plan([product, company], [record(product)]).product_reaches == 2


@pytest.mark.parametrize(("state", "text"), [("applied", "SELECT 2;"), ("failed", "SELECT 1;\n")])
def test_a_script_that_is_known_by_its_name_keeps_it(state: str, text: str) -> None:
    held = record(script(500, name="migrations/0500_old.sql"), state)
    with pytest.raises(MigrationError) as caught:
        plan([script(500, text, name="migrations/0500_new.sql")], [held])
    assert caught.value.hint == "rename it back to `migrations/0500_old.sql`"


# What is in the scripts. Nothing here connects.


def database() -> Database:
    return open_database("postgresql", EngineSettings(location="shop", name="shop", schema="public"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ":1: the script has no statements"),
        ("-- a comment;\n", ":1: the script has no statements"),
        ("-- custctl: none reserved\n\nSELECT 1;", ":3: the script has statements but says `-- custctl: none`"),
        ("SELECT 1;\nSELECT 'a", ":2: the string"),
        ("SELECT 1;\nCOMMIT;", ":2: `COMMIT` would break the script's transaction"),
        ("SELECT 1;\nVACUUM (ANALYZE) a, b;", ":2: `VACUUM (ANALYZE) a, …` fails inside a transaction"),
    ],
)
def test_a_script_that_cannot_run_is_refused_before_anything_does(text: str, words: str) -> None:
    with pytest.raises(MigrationError) as caught:
        split_script(database(), script(1, text))
    assert caught.value.message.startswith(f"migrations/0001_x.sql{words}")
    assert caught.value.details["line"] == int(words.split(":")[1])


def test_a_script_may_be_empty_by_intent_and_commit_outside_a_transaction() -> None:
    assert split_script(database(), script(1, "-- custctl: none reserved")) == []
    found = split_script(database(), script(1, "-- custctl: transaction=off\nCOMMIT;\nVACUUM;"))
    assert [statement.text for statement in found] == ["COMMIT", "VACUUM"]


def test_a_finding_is_allowed_by_its_own_rule() -> None:
    for allowed, expected in (("drop-table", []), ("truncate", ["drop-table"])):
        one = script(1, f"-- custctl: allow={allowed} gone\nDROP TABLE a;")
        found = lint_script(database(), one, split_script(database(), one))
        assert [finding.rule for finding in found] == expected


EXPAND, CONTRACT = "CREATE TABLE a (b int);", "-- custctl: phase=contract\nSELECT 1;"


def test_before_the_switch_the_contract_releases_scripts_are_left_out() -> None:
    numbered = script(1000, EXPAND), script(1001, CONTRACT)
    made = plan([*numbered, repeatable("a"), repeatable("b", CONTRACT), repeatable("c")])
    kept, left = expand_only(database(), made, allow_out_of_order=False)
    assert [name for name, _ in told(kept)] == ["migrations/1000_x.sql", "repeatable/a.sql", "repeatable/c.sql"]
    assert [each.name for each in left] == ["migrations/1001_x.sql", "repeatable/b.sql"]
    assert kept.entries == made.entries


def test_an_expanding_script_above_one_that_is_left_out_is_refused() -> None:
    made = plan([script(1, CONTRACT), script(2, EXPAND)])
    with pytest.raises(MigrationError, match=r"0002_x\.sql` \(expand\) comes after `migrations/0001_x\.sql`"):
        expand_only(database(), made, allow_out_of_order=False)
    kept, left = expand_only(database(), made, allow_out_of_order=True)
    assert ([step.script.version for step in kept.steps], [each.version for each in left]) == ([2], [1])


def test_the_product_and_the_company_have_orders_of_their_own() -> None:
    made = plan([script(1, CONTRACT), script(1000, EXPAND)])
    assert [entry.space for entry in made.entries] == ["product", "company"]
    kept, left = expand_only(database(), made, allow_out_of_order=False)
    assert ([step.script.version for step in kept.steps], [each.version for each in left]) == ([1000], [1])
