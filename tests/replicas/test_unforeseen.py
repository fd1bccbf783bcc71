"""Whatever ends a step, foreseen or not: before the promotion all is undone, behind it the rest is left to a rerun."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest

from custctl.cache.mirroring import CacheMirror
from custctl.replication.execution import Run
from custctl.replication.journal import Journal
from custctl.replication.plan import Loss
from custctl.replication.streaming.driver import StreamingDriver
from custctl.support.errors import CustctlError, UnavailableError
from custctl.support.signals import Terminated
from tests.cache.test_commands import with_cache
from tests.conftest import Project, Result
from tests.inside import Inside
from tests.replicas.support import FAILOVER, SWITCHOVER, accepts_writes, epoch, recorded
from tests.servers.cluster import Cluster


def _made_from(interrupt: BaseException) -> RuntimeError:
    """Return what Python 3.11 makes of a signal while a class is made."""
    error = RuntimeError("Error calling __set_name__")
    error.__cause__ = interrupt
    return error


KINDS: dict[str, tuple[BaseException, int]] = {
    "RuntimeError": (RuntimeError("s3cret value"), 1),
    "MemoryError": (MemoryError(), 1),
    "RecursionError": (RecursionError("maximum recursion depth exceeded"), 1),
    "OSError": (OSError(errno.EMFILE, "Too many open files"), 1),
    "SystemExit": (SystemExit(0), 1),
    "KeyboardInterrupt": (KeyboardInterrupt(), 130),
    "Terminated": (Terminated(), 143),
    "InterruptedClass": (_made_from(KeyboardInterrupt()), 130),
    "CustctlError": (CustctlError("an error of no kind of its own"), 1),
}
PLACES = ("journal begun", "before", "after", "journal done", "told")
BEFORE = {"a": "primary", "b": "standby", "c": "standby"}
AFTER = {"a": "fenced", "b": "primary", "c": "standby"}


@pytest.fixture
def site(cluster: Cluster, project: Project) -> Inside:
    """The profiles `dev` and `prod` on the cluster in its first state, for commands inside the test's own process."""
    made = cluster.project(project)
    return Inside(made.path, made.environ)


@contextmanager
def raising(error: BaseException, step: str, place: str) -> Iterator[None]:
    """Raise an error once, at a step: before or after it does its work, or where it is written down or told."""
    left = [error]

    def strike(name: str, where: str) -> None:
        if left and (name, where) == (step, place):
            raise left.pop()

    perform, write = StreamingDriver.perform, Journal.step

    def performing(driver: Any, plan: Any, each: Any) -> str:
        strike(each.name, "before")
        detail = perform(driver, plan, each)
        strike(each.name, "after")
        return detail

    def writing(journal: Any, plan: Any, each: Any, state: str, detail: str = "") -> None:
        strike(each.name, f"journal {state}")
        write(journal, plan, each, state, detail)

    def running(driver: Any, plan: Any, journal: Any, actor: str, told: Any) -> Run:
        def telling(text: str) -> None:
            for each in plan.steps:
                if text.startswith(each.what):
                    strike(each.name, "told")
            told(text)

        return Run(driver, plan, journal, actor, telling)

    with (
        mock.patch.object(StreamingDriver, "perform", performing),
        mock.patch.object(Journal, "step", writing),
        mock.patch("custctl.replication.execution.Run", running),
    ):
        yield
    assert not left, "it was not raised"


def _told_well(result: Result) -> None:
    assert "Traceback" not in result.err
    assert "s3cret" not in result.err


def _outcomes(site: Inside) -> list[str]:
    return [change["outcome"] for change in site.ok("replica", "history", "-o", "json").json["items"]]


@pytest.mark.parametrize("step", ["lock", "fence", "catch-up"])
def test_before_the_promotion_the_old_primary_is_given_back(step: str, site: Inside, cluster: Cluster) -> None:
    for number, (kind, (error, code)) in enumerate(KINDS.items()):
        for place in PLACES if number < 2 else (PLACES[number % len(PLACES)],):
            case = f"{kind}, {place}"
            with raising(error, step, place):
                result = site.run(*SWITCHOVER, "b")
            _told_well(result)
            assert result.code == code, f"{case}: {result.err}"
            undone = "nothing was changed" if step == "lock" else "`a` accepts writes again"
            assert undone in result.err, f"{case}: {result.err}"
            assert cluster.roles() == BEFORE, case
            assert accepts_writes(cluster, "a"), case
            assert set(_outcomes(site)) == {"aborted"}, case
    done = site.ok(*SWITCHOVER, "b")
    assert "is not finished" not in done.err


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", ["promote", "follow", "record", "verify"])
def test_from_the_promotion_on_the_rest_is_left_to_a_rerun(
    step: str, kind: str, site: Inside, cluster: Cluster
) -> None:
    error, signal = KINDS[kind]
    places = ("before", "after", "journal done", "told")
    place = places[(list(KINDS).index(kind) + len(step)) % len(places)]
    with raising(error, step, place):
        result = site.run(*SWITCHOVER, "b")
    _told_well(result)
    if place == "journal done":
        # What was done is done, whether it could be written down or not.
        assert result.code == 0, result.err
    elif signal > 100:
        assert result.code == signal, result.err
        assert "after `b` was asked to become the primary" in result.err
    else:
        assert result.code == (13 if step == "promote" else 12), result.err
    # Whether it was told to become the primary is not known there: it must not be two.
    roles = cluster.roles()
    assert roles == ({**BEFORE, "a": "fenced"} if (step, place) == ("promote", "before") else AFTER)
    if result.code:
        assert _outcomes(site)[-1] in ("incomplete", "done")
    done = site.ok(*SWITCHOVER, "b")
    assert ("is not finished" in done.err) is (result.code != 0)
    assert cluster.roles() == AFTER
    cluster.wait_streaming("c")
    assert epoch(cluster) == 2
    assert len(recorded(cluster)) == 1
    assert "is not finished" not in site.ok(*SWITCHOVER, "b").err


@pytest.mark.parametrize("kind", ["RuntimeError", "KeyboardInterrupt"])
def test_a_failover_that_fails_before_the_promotion_promotes_nobody(kind: str, site: Inside, cluster: Cluster) -> None:
    error, code = KINDS[kind]
    cluster.kill("a")
    for step in ("lock", "confirm"):
        with raising(error, step, "after"):
            result = site.run(*FAILOVER, "--allow-data-loss")
        _told_well(result)
        assert result.code == code, result.err
        assert "nothing was changed" in result.err
        assert sorted(cluster.standbys()) == ["b", "c"]
    site.ok(*FAILOVER, "--allow-data-loss")


@pytest.mark.parametrize("kind", ["RuntimeError", "KeyboardInterrupt"])
def test_what_the_undo_could_not_do_is_told_and_left_to_a_rerun(kind: str, site: Inside, cluster: Cluster) -> None:
    error, _ = KINDS[kind]
    with (
        raising(RuntimeError(), "catch-up", "after"),
        mock.patch("custctl.replication.streaming.driver.StreamingDriver.undo", side_effect=error),
    ):
        result = site.run(*SWITCHOVER, "b")
    _told_well(result)
    assert result.code == 12, result.err
    assert "could not be undone: " in result.err
    assert "fence `a`: " in result.err
    assert "`custctl replica unfence a`" in result.err
    assert cluster.roles() == {**BEFORE, "a": "fenced"}
    assert _outcomes(site) == ["incomplete"]
    site.ok(*SWITCHOVER, "b")
    assert _outcomes(site) == ["done"]


@pytest.mark.parametrize("error", [UnavailableError("gone"), RuntimeError("s3cret value")])
def test_what_fails_behind_a_finished_run_is_a_warning(
    error: Exception, site: Inside, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The primary has changed: whoever reads the exit code and the result must learn that."""

    def lost(*_: object) -> Loss:
        raise error

    execute = Run.execute

    def executed(run: Run) -> None:
        execute(run)
        monkeypatch.setattr(StreamingDriver, "loss", lost)

    monkeypatch.setattr(Run, "execute", executed)
    done = site.ok(*SWITCHOVER, "b", "-o", "json")
    assert done.json["to"] == "b"
    assert "cannot check again how much may be lost" in done.err
    assert "s3cret" not in done.err
    assert cluster.roles() == AFTER


@pytest.mark.parametrize("method", ["forked", "many"])
def test_what_fails_about_the_cache_does_not_hide_that_the_primary_has_changed(
    method: str, site: Inside, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forked(*_: object) -> None:
        raise RuntimeError("s3cret value")

    @contextmanager
    def many(*_: object) -> Iterator[None]:
        yield
        raise RuntimeError("s3cret value")

    with_cache(site, "redis://127.0.0.1:1/0")
    monkeypatch.setattr(CacheMirror, method, forked if method == "forked" else many)
    done = site.ok(*SWITCHOVER, "b", "-o", "json")
    assert done.json["to"] == "b"
    assert "custctl cache clear" in done.err
    assert "s3cret" not in done.err
    assert cluster.roles() == AFTER
