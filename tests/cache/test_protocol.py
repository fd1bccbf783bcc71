"""No order of calls, kills, evictions, restarts and failovers lets the cache show as current what is not.

`docs/decisions/cache-protocol.md` tells why. The mutations are the counter-check: a script or a caller without one of
its guards is found out.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from custctl.cache import scripts
from tests.cache.machine import DATABASE, Protocol
from tests.cache.servers import caller, open_cache
from tests.servers.valkey import ValkeyServer

_LONG = int(os.environ.get("CUSTCTL_TEST_CACHE", "0"))
_EXAMPLES = max(100, _LONG // 100)
_STEPS = 40

READER = ("look", "read", "fill")
WRITER = ("mark", "commit", "end")
KILLED = ("mark", "commit", "kill_writer", "marks_run_out")
DELETER = ("mark", "delete", "end")
MANY = ("mark_all", "commit_many", "end_many")
KILLED_MANY = ("mark_all", "commit_many", "kill_many", "marks_run_out")
FAILOVER = ("fork", "commit_many", "end_many")
ORDERS: list[tuple[tuple[str, ...], ...]] = [
    (READER, WRITER, ("evict",)),
    (READER, WRITER, ("drop",)),
    (READER, WRITER, ("write",)),
    (READER, ("write", "evict", "look")),
    (READER, DELETER, ("evict",)),
    (READER, KILLED),
    (READER, KILLED_MANY),
    (READER, MANY, ("lease",)),
    (READER, FAILOVER, ("write",)),
    (WRITER, WRITER, ("evict",)),
    (WRITER, MANY, ("write",)),
    (WRITER, KILLED_MANY),
    (WRITER, FAILOVER, ("get",)),
    (WRITER, DELETER),
    (DELETER, FAILOVER),
    (READER, WRITER, ("before",)),
    (WRITER, ("write", "empty"), ("get",)),
    (WRITER, ("state",), ("write", "get")),
    (READER, ("untold", "write"), ("state",)),
    (WRITER, ("untold", "get"), ("evict",)),
    (READER, ("untold", "write other")),
    (WRITER, ("untold", "write other")),
]
"""What takes place side by side; each in its own order."""

MUTATIONS = {
    "a look goes by no mark of the row": ("look", "if live or all_live then", "if all_live then"),
    "a look goes by no mark of all rows": ("look", "if live or all_live then", "if live then"),
    "a look trusts a row whose writer was killed": ("look", "and #dead == 0 and", "and"),
    "a look trusts all rows where the writer of many was killed": ("look", "if #all_dead > 0 then", "if false then"),
    "a look goes by no generation": ("look", "row.generation == state.generation", "true"),
    "a look shows rows of a history that was left": (
        "look",
        "if state.epoch and row.version and precedes(epoch_of(row.version), state.epoch) then payload = '' end",
        "",
    ),
    "a fill goes by no lease": ("fill", "row.lease ~= ARGV[1] or", ""),
    "a fill goes by the generation of its end": (
        "fill",
        "if row.lease ~= ARGV[1]",
        "row.under = state.generation\nif row.lease ~= ARGV[1]",
    ),
    "a fill goes by no epoch": (
        "fill",
        "or (state.epoch and precedes(epoch_of(ARGV[2]), state.epoch))",
        "",
    ),
    "a mark leaves the lease": ("mark", "void_lease(KEYS[1])", ""),
    "a mark has no effect": ("mark", "'m:' .. ARGV[1]", "'n:' .. ARGV[1]"),
    "a put goes by no version": ("put", "(held and precedes(ARGV[2], held)) or", ""),
    "a put goes by no epoch": ("put", "or (epoch and precedes(epoch_of(ARGV[2]), epoch))", ""),
    "a put goes by no mark": (
        "put",
        "if not mark then",
        "mark = mark or ' '..redis.call('HGET', KEYS[1], 'generation')\nif false then",
    ),
    "a put without its mark leaves what is older": (
        "put",
        "if redis.call('EXISTS', KEYS[2]) == 1 and (not held or precedes(held, ARGV[2])) then",
        "if false then",
    ),
    "a put goes by the generation of its end": (
        "put",
        "mark:match(' (.*)$')",
        "redis.call('HGET', KEYS[1], 'generation')",
    ),
    "a bury leaves no version": ("bury", "redis.call('HSET', KEYS[1], 'version', ARGV[2])", ""),
    "a turn leaves the generation": ("turn", "redis.call('HSET', KEYS[1], 'generation', ARGV[2])", ""),
    "a turn leaves the epoch": ("turn", "if ARGV[3] ~= ''", "if false"),
    "a drop takes marks away": ("drop", "if marked then", "if false then"),
}
"""Guards that others stand behind are not among them. A look goes by the row's epoch: what is of a lower one is handed to
nobody. One reader at a time has a lease: the later one's is the only one that is kept. A fill goes by marks and by the
version: whoever sets a mark voids the lease, or turns the generation in the end. A put voids the lease: its mark did, or its
version keeps the filler off. A bury takes the row away: it is not of the tombstone's version. Were it to take a newer row
along, after a failover, the epoch would still keep off what is older.
"""


@pytest.fixture(scope="module")
def machine(valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory) -> type[Protocol]:
    memory = tmp_path_factory.mktemp("memory") / "cache.json"

    class Here(Protocol):
        server = valkey
        cache = open_cache(valkey, memory, DATABASE)
        call = staticmethod(caller(valkey))

    return Here


def _settings(examples: int, **more: Any) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=_STEPS,
        database=None,
        suppress_health_check=list(HealthCheck),
        **more,
    )


def test_what_is_shown_as_current_is_so_in_any_order_of_calls(machine: type[Protocol]) -> None:
    run_state_machine_as_test(machine, settings=_settings(_EXAMPLES))


def orders(actors: Sequence[tuple[str, ...]]) -> Iterator[list[tuple[int, str]]]:
    """Yield every order in which the actors' steps can come, each with the number of its actor."""
    if not any(actors):
        yield []
    for number, steps in enumerate(actors):
        if steps:
            rest = [*actors[:number], steps[1:], *actors[number + 1 :]]
            for order in orders(rest):
                yield [(number, steps[0]), *order]


def check_every_order(machine: type[Protocol], actors: Sequence[tuple[str, ...]]) -> int:
    """Run all orders, from a cache that has the row, that has it too long, and that has it not; return how many."""
    count = 0
    for order in orders(actors):
        for begin in ((), ("entry",), ("evict",)):
            run = machine()
            run.begin()
            # So that before all this something has been there.
            for step in ("write", *begin, "save"):
                run.take(step, 0)
            run.shown_is_current()
            for number, step in order:
                run.take(step, number)
                run.shown_is_current()
            run.take("get", 0)
            run.shown_is_current()
            count += 1
    return count


@pytest.mark.parametrize("actors", ORDERS, ids=str)
def test_what_is_shown_as_current_is_so_in_every_order(
    machine: type[Protocol], actors: tuple[tuple[str, ...], ...]
) -> None:
    assert check_every_order(machine, actors) >= 2


@pytest.mark.parametrize("name", MUTATIONS if _LONG else ["a fill goes by the generation of its end"])
def test_a_missing_guard_is_found_out(name: str, machine: type[Protocol], monkeypatch: pytest.MonkeyPatch) -> None:
    script, guard, without = MUTATIONS[name]
    whole = scripts._text(script).decode()
    assert guard in whole
    mutated = whole.replace(guard, without).encode()
    original = scripts._text
    monkeypatch.setattr(scripts, "_text", lambda asked: mutated if asked == script else original(asked))
    monkeypatch.setitem(scripts._DIGESTS, script, _sha1(mutated))
    with pytest.raises(AssertionError, match=r"was shown|history that was left|Refusal"):
        # The fewest steps first, as one of the short ones mostly finds it out.
        for actors in sorted(ORDERS, key=lambda actors: sum(map(len, actors))):
            check_every_order(machine, actors)


def test_the_scripts_are_called_by_their_digests() -> None:
    assert {name: _sha1(scripts._text(name)) for name in scripts._DIGESTS} == scripts._DIGESTS


def _sha1(text: bytes) -> str:
    return hashlib.sha1(text, usedforsecurity=False).hexdigest()
