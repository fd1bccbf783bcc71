"""Points the other standbys at the target of a switchover before its promotion, and back if that is undone.

Even a fenced primary writes records of its own to its log, such as snapshots of its running transactions. A standby that
receives one which the target lacks could never follow the promoted target.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from custctl.engines.at_once import at_once
from custctl.replication.planning import quoted
from custctl.support.errors import CustctlError

if TYPE_CHECKING:
    from custctl.engines.members import StreamingMember, Upstream

_TURNING = 2.0  # seconds without writes; a standby that replays a backlog first is not waited for
_TURNING_BACK = 5.0  # seconds
_DROPPING = 2.0  # seconds for a standby to give up its slot
_POLL = 0.01


class Turning:
    """One attempt to let standbys receive from the target.

    Args:
        standbys: those that receive from the same node as the target, by name.
        source: that node, as an observation gives it.
    """

    def __init__(self, standbys: Mapping[str, StreamingMember], target: StreamingMember, source: str) -> None:
        self._standbys = standbys
        self._target = target
        self._source = source
        self._slots_before = frozenset(target.slots()) if standbys else frozenset()
        self._upstreams: dict[str, Upstream] = {}

    def turn(self) -> int:
        """Let the standbys receive from the target.

        One that does not do so in time is left out: it is told again after the promotion.

        Returns:
            The highest position that any of them has received from the former source.
        """
        deadline = time.monotonic() + _TURNING
        calls = {name: partial(self._turn, name, standby, deadline) for name, standby in self._standbys.items()}
        answers = at_once(calls, _TURNING)
        return max((position for position in answers.values() if isinstance(position, int)), default=0)

    def _turn(self, name: str, standby: StreamingMember, deadline: float) -> int:
        upstream = standby.upstream()
        if time.monotonic() >= deadline:
            return 0  # Nobody waits for this call any more: the step may have been undone meanwhile.
        slots = self._target.make_slots([upstream.slot]) if upstream.slot else ()
        if upstream.slot and not slots:
            return 0  # To follow it would lose its slot.
        self._upstreams[name] = upstream
        standby.follow(self._target.node, slots)
        while (seen := standby.observe()).source == self._source:
            if time.monotonic() >= deadline:
                return 0
            time.sleep(_POLL)
        return seen.position or 0

    def turn_back(self) -> str:
        """Let the standbys receive from their former source again, and say what was done; empty if nothing was.

        A standby that cannot be told is only reported: it receives everything through the target.
        """
        # A copy: a call that was given up may still add one.
        calls = {name: partial(self._turn_back, name, upstream) for name, upstream in dict(self._upstreams).items()}
        answers = at_once(calls, _TURNING_BACK)
        back = [name for name, answer in answers.items() if not isinstance(answer, CustctlError)]
        told = [f"{quoted(back)} {'receives' if len(back) == 1 else 'receive'} as before"] if back else []
        for name, answer in answers.items():
            if isinstance(answer, CustctlError):
                told.append(f"`{name}` may still receive from `{self._target.node.name}`: {answer.message}")
            elif answer is not None:
                told.append(answer)
        return ", ".join(told)

    def _turn_back(self, name: str, upstream: Upstream) -> str | None:
        """Return what stays, in words."""
        self._standbys[name].set_upstream(upstream)
        if upstream.slot is None or upstream.slot in self._slots_before:
            return None
        try:
            self._target.drop_slot(upstream.slot, _DROPPING)
        except CustctlError as error:
            return f"the replication slot `{upstream.slot}` stays on `{self._target.node.name}`: {error.message}"
        return None
