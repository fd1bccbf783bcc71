"""Where a read goes: which nodes are tried and when, and which will do."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from custctl.engines.model import Node
from custctl.engines.nodes import Dialler, Fit, Rank, Reached
from custctl.engines.reads import Freshness, LogPosition
from custctl.replication.positions import Positions
from custctl.replication.routing import Routing
from custctl.support.errors import CredentialError, CustctlError, SplitBrainError, UnavailableError
from custctl.support.state import SealedFile

A, B, C = (Node(name, "127.0.0.1", number) for number, name in enumerate("abc", 1))


class Told:
    """What people are told, kept."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str, hint: str | None = None) -> None:
        self.warnings.append(text)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def routing(tmp_path: Path, told: Told) -> Routing:
    return Routing(Positions(tmp_path / "x.json"), spread=True, max_lag=5.0, tell=told)


def fresh(position: int = 10, *, epoch: int = 1, lag: float | None = 0.0, following: bool = True) -> Freshness:
    return Freshness(LogPosition("x", epoch, position), lag, following)


# -- which will do ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("freshness", "reason"),
    [
        (fresh(), None),
        (fresh(lag=5.0), None),
        (fresh(lag=5.1), "it is 5.1 s behind"),
        (fresh(lag=None), "it is behind by an unknown time"),
        (fresh(following=False), "it is not connected to a primary"),
        (None, "it does not report its position"),
    ],
)
def test_a_standby_is_to_be_fresh(routing: Routing, freshness: Freshness | None, reason: str | None) -> None:
    routing.committed(A, fresh().reached)
    assert routing.misfit(freshness) == reason


@pytest.mark.parametrize(
    ("reached", "fits"),
    [
        (LogPosition("x", 2, 10), True),
        (LogPosition("x", 2, 11), True),
        (LogPosition("x", 2, 9), False),
        (LogPosition("x", 3, 1), True),
        (LogPosition("x", 1, 99), False),
        (LogPosition("y", 2, 99), False),
    ],
)
def test_a_standby_is_to_have_what_was_written_from_here(routing: Routing, reached: LogPosition, fits: bool) -> None:
    routing.committed(A, LogPosition("x", 2, 10))
    assert (routing.misfit(Freshness(reached, 0.0, following=True)) is None) is fits


def test_of_another_database_the_primary_s_word_is_taken(routing: Routing) -> None:
    routing.committed(A, LogPosition("y", 9, 99))
    assert routing.misfit(fresh(10)) is not None
    routing.read_primary(A, fresh(20))
    assert routing.misfit(fresh(19)) is not None
    assert routing.misfit(fresh(20)) is None


def test_what_the_primary_says_asks_no_more_of_the_replicas(routing: Routing) -> None:
    routing.committed(A, LogPosition("x", 1, 10))
    routing.read_primary(B, fresh(500))
    assert routing.misfit(fresh(10)) is None
    assert routing.waves([A, B, C])[-1] == [B]


def test_a_former_primary_is_known_by_its_epoch(routing: Routing, told: Told) -> None:
    routing.committed(A, LogPosition("x", 2, 10))
    routing.check_history("x", 2, "node a")
    routing.check_history("x", 3, "node a")
    routing.check_history("y", 1, "node a")
    with pytest.raises(SplitBrainError):
        routing.check_history("x", 1, "node a")
    assert routing.is_former(fresh(99, epoch=1))
    assert not routing.is_former(fresh(1, epoch=2))
    routing.read_primary(B, fresh(99, epoch=1))
    assert "former primary" in told.warnings[0]
    assert routing.waves([A, B, C])[-1] == [A]


def test_while_nothing_is_known_no_primary_is_a_former_one(routing: Routing) -> None:
    routing.check_history("x", 1, "node a")
    assert not routing.is_former(fresh())
    routing.committed(A, LogPosition("x", 2, 10))
    assert not routing.is_former(None)


def test_after_a_loss_the_primary_says_what_a_standby_must_have(tmp_path: Path, told: Told) -> None:
    positions = Positions(tmp_path / "x.json")
    Routing(positions, spread=True, max_lag=5.0, tell=told).committed(A, LogPosition("x", 1, 10))
    SealedFile(positions.path).break_seal()
    routing = Routing(positions, spread=True, max_lag=5.0, tell=told)
    assert routing.misfit(fresh(99)) is not None
    routing.without_primary(B, fresh(99), fenced=False, missing=())
    assert "may lack the last write" in told.notes[0]
    routing.read_primary(A, fresh(50))
    assert routing.misfit(fresh(49)) is not None
    assert routing.misfit(fresh(50)) is None


@pytest.mark.parametrize("spread", [True, False])
def test_a_position_that_cannot_be_kept_is_told_once_where_replicas_serve(
    tmp_path: Path, told: Told, spread: bool
) -> None:
    (tmp_path / "file").touch()
    routing = Routing(Positions(tmp_path / "file" / "x.json"), spread=spread, max_lag=5.0, tell=told)
    routing.committed(A, LogPosition("x", 1, 10))
    routing.committed(A, LogPosition("x", 1, 11))
    assert [str(tmp_path / "file" / "x.json") in warning for warning in told.warnings] == [True] * spread
    assert routing.misfit(fresh(10)) is not None
    assert routing.misfit(fresh(11)) is None


@pytest.mark.parametrize(
    ("freshness", "fenced", "missing", "words"),
    [
        (fresh(10, lag=2.0), False, ["a"], "the primary does not answer: read from replica {}, 2.0 s behind"),
        (fresh(9), False, [], "no node is the primary: read from replica {}, 0.0 s behind; it does not have {}"),
        (
            None,
            False,
            [],
            "no node is the primary: read from replica {}, behind by an unknown time; it does not have {}",
        ),
        (fresh(9), True, ["a"], "no node accepts writes: read from {}, a primary that is fenced"),
    ],
)
def test_a_read_without_a_primary_is_told(
    routing: Routing, told: Told, freshness: Freshness | None, fenced: bool, missing: list[str], words: str
) -> None:
    routing.committed(A, LogPosition("x", 1, 10))
    routing.without_primary(B, freshness, fenced=fenced, missing=missing)
    assert told.notes == [words.format(B, "the last write from this machine")]


# -- in which order --------------------------------------------------------------------------------


def test_while_nothing_is_known_each_node_comes_first_as_often(routing: Routing) -> None:
    firsts = Counter(routing.waves([A, B, C])[0][0].name for _ in range(300))
    assert min(firsts[name] for name in "abc") > 50


def test_the_primary_comes_last(routing: Routing) -> None:
    routing.committed(A, LogPosition("x", 1, 1))
    for _ in range(20):
        first, second, third = routing.waves([A, B, C])
        assert sorted(node.name for node in (*first, *second)) == ["b", "c"]
        assert third == [A]
    assert routing.waves([A, B]) == [[B], [A]]
    assert routing.waves([A]) == [[A]]
    assert routing.waves([]) == []


# -- dialling --------------------------------------------------------------------------------------


class Network:
    """Nodes that stand in for servers: each answers with a rank after a while, or fails."""

    def __init__(self, **answers: tuple[float, Rank | CustctlError]) -> None:
        self._answers = answers
        self._lock = threading.Lock()
        self.dialled: list[str] = []
        self.open: set[str] = set()

    def _dial(self, node: Node) -> str:
        with self._lock:
            self.dialled.append(node.name)
        seconds, answer = self._answers[node.name]
        time.sleep(seconds)
        if isinstance(answer, CustctlError):
            raise answer
        with self._lock:
            self.open.add(node.name)
        return node.name

    def _rank(self, name: str) -> Rank:
        rank = self._answers[name][1]
        assert isinstance(rank, tuple)
        return rank

    def connect(self, *waves: Sequence[Node], timeout: float = 2.0) -> Reached[str]:
        return Dialler(self._dial, self._rank, self.open.discard, waves, timeout).connect()


BEST, GOOD = (int(Fit.BEST),), (int(Fit.GOOD),)
WORSE, WORST = (int(Fit.SPARE), 1), (int(Fit.SPARE), 2)
AT_ONCE, A_MOMENT, AGES = 0.0, 0.1, 30.0
DOWN = UnavailableError("it is down")


@pytest.mark.parametrize(
    ("network", "chosen", "dialled"),
    [
        # The first will do.
        ({"b": (A_MOMENT, BEST), "c": (AT_ONCE, BEST), "a": (AT_ONCE, GOOD)}, "b", "b"),
        # It does not fit, is down, or says nothing: the next one, and not the primary.
        ({"b": (AT_ONCE, WORSE), "c": (A_MOMENT, BEST), "a": (AT_ONCE, GOOD)}, "c", "bc"),
        ({"b": (AT_ONCE, DOWN), "c": (A_MOMENT, BEST), "a": (AT_ONCE, GOOD)}, "c", "bc"),
        ({"b": (AGES, BEST), "c": (A_MOMENT, BEST), "a": (AT_ONCE, GOOD)}, "c", "bc"),
        # None of them fits: the primary, whatever a silent one may still say.
        ({"b": (AT_ONCE, WORSE), "c": (AT_ONCE, WORST), "a": (A_MOMENT, GOOD)}, "a", "bca"),
        ({"b": (AGES, BEST), "c": (AGES, BEST), "a": (AT_ONCE, GOOD)}, "a", "bca"),
        # Without a primary, the best of those that are there.
        ({"b": (AT_ONCE, WORST), "c": (AT_ONCE, WORSE), "a": (AT_ONCE, DOWN)}, "c", "bca"),
        # A replica that is slow to answer is still better than waiting for the primary.
        ({"b": (0.6, BEST), "c": (AT_ONCE, WORSE), "a": (AGES, GOOD)}, "b", "bca"),
    ],
)
def test_a_wave_after_the_other(
    network: dict[str, tuple[float, Rank | CustctlError]], chosen: str, dialled: str
) -> None:
    made = Network(**network)
    began = time.monotonic()
    assert made.connect([B], [C], [A]).connection == chosen
    assert time.monotonic() - began < AGES
    assert "".join(made.dialled) == dialled
    assert made.open == {chosen}


def test_a_primary_that_was_not_known_as_such_leaves_the_replicas_their_time() -> None:
    network = Network(a=(AT_ONCE, GOOD), b=(A_MOMENT, BEST), c=(AGES, BEST))
    assert network.connect([A], [B, C]).connection == "b"
    network = Network(a=(AT_ONCE, GOOD), b=(A_MOMENT, WORSE), c=(AGES, BEST))
    assert network.connect([A], [B, C]).connection == "a"


def test_who_is_missing_is_told() -> None:
    network = Network(a=(AT_ONCE, UnavailableError("it is down")), b=(AT_ONCE, WORSE), c=(AGES, BEST))
    reached = network.connect([A, B, C], timeout=1)
    assert reached.connection == "b"
    assert list(reached.missing) == [
        "node `a` (127.0.0.1:1): it is down",
        "node `c` (127.0.0.1:3): no answer within 1 s",
    ]


def test_a_refused_login_is_told_where_nobody_else_answers() -> None:
    refused = CredentialError("no")
    network = Network(a=(AT_ONCE, DOWN), b=(AT_ONCE, refused))
    with pytest.raises(CredentialError):
        network.connect([A], [B])


def test_a_connection_that_comes_too_late_is_hung_up() -> None:
    network = Network(a=(AT_ONCE, BEST), b=(A_MOMENT, BEST), c=(A_MOMENT, BEST))
    assert network.connect([A, B, C]).connection == "a"
    _until(lambda: len(network.dialled) == 3)
    time.sleep(2 * A_MOMENT)
    assert network.open == {"a"}


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)
