"""A failover's proof of no loss, against a model of a primary whose settings change while standbys come and go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from custctl.engines.members import Observation, Role
from custctl.engines.model import Node
from custctl.replication.streaming.loss import assess_loss
from custctl.replication.topology import Seen, Topology, is_to_record
from custctl.support.errors import UnavailableError

_STANDBYS = ("b", "c")
_SETTINGS = st.sampled_from(["", "ANY 1 (b, c)", "ANY 2 (b, c)", "FIRST 1 (b)", "c"])
_START = datetime(2026, 1, 1, tzinfo=UTC)
_CONFIRMS = {"": ("", 0), "ANY 1 (b, c)": ("bc", 1), "ANY 2 (b, c)": ("bc", 2), "FIRST 1 (b)": ("b", 1), "c": ("c", 1)}


class Records(RuleBasedStateMachine):
    """The log is a list of entries; a standby has some first part of it.

    A record vouches for what comes later as long as the settings are not changed: a change that nobody has recorded cannot
    be known once the primary is gone, so that the model asks for a proof's truth only where there was none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.time = 0
        self.setting = ""
        self.configured = 0
        self.timeline = self.fork = 1
        self.standby_settings = dict.fromkeys(_STANDBYS, "")
        self.log: list[tuple[str, str, int, int, int]] = []  # kind, setting, time, fork as counted, timeline
        self.has = dict.fromkeys(_STANDBYS, 0)
        self.acknowledged = 0
        self.attached = set(_STANDBYS)

    def _observed(self, name: str) -> Observation:
        """Return what a node says: the primary, or a standby with its part of the log."""
        part = self.log if name == "a" else self.log[: self.has[name]]
        records = [entry for entry in part if entry[0] == "record"]
        forks = [entry[3] for entry in part]
        setting = self.setting if name == "a" else self.standby_settings[name]
        return Observation(
            Role.PRIMARY if name == "a" else Role.STANDBY,
            writable=name == "a",
            cluster_id="1",
            timeline=self.timeline,
            environment="development",
            fork=str(forks[-1] if forks else 1),
            recorded_synchronous=records[-1][1] if records else None,
            recorded_at=_moment(records[-1][2]) if records else None,
            configured=_moment(self.configured),
            now=_moment(self.time),
            position=len(part),
            replayed=len(part),
            name=name,
            synchronous=setting,
            waits_for_standbys=True,
        )

    def _append(self, kind: str) -> None:
        self.time += 1
        self.log.append((kind, self.setting, self.time, self.fork, self.timeline))
        for name in self.attached:
            self.has[name] = len(self.log)

    @rule(setting=_SETTINGS, everywhere=st.booleans())
    def configure(self, setting: str, everywhere: bool) -> None:
        self.time += 1
        self.setting, self.configured = setting, self.time
        if everywhere:
            self.standby_settings = dict.fromkeys(_STANDBYS, setting)

    @rule(name=st.sampled_from(_STANDBYS))
    def detach(self, name: str) -> None:
        self.attached.discard(name)

    @rule(name=st.sampled_from(_STANDBYS))
    def attach(self, name: str) -> None:
        self.attached.add(name)
        self.has[name] = len(self.log)

    @rule(administrator=st.booleans())
    def write(self, administrator: bool) -> None:
        self._append("write")
        names, count = _CONFIRMS[self.setting]
        if len(self.attached & set(names)) >= count:
            self.acknowledged = len(self.log)
            if administrator and is_to_record(self._observed("a")):
                self._append("record")

    @rule(counted=st.booleans(), setting=_SETTINGS)
    def promote(self, counted: bool, setting: str) -> None:
        """Another node becomes the primary, without a loss; custctl counts that, and another tool does not."""
        self.timeline += 1
        self.time += 1
        self.setting, self.configured = setting, self.time
        if counted:
            self.fork = self.timeline
            self._append("record")

    @invariant()
    def every_proof_is_true(self) -> None:
        for gone in ((), ("b",), ("c",)):
            alive = [name for name in _STANDBYS if name not in gone]
            seen = [Seen(Node("a", "a", 1), None, UnavailableError("gone"))]
            seen += [Seen(Node(name, name, 1), None, UnavailableError("gone")) for name in gone]
            seen += [Seen(Node(name, name, 1), self._observed(name)) for name in alive]
            topology = Topology(tuple(seen), max_lag=5.0)
            best = max(alive, key=lambda name: self.has[name])
            target = topology.find(best)
            assert target is not None and target.observation is not None
            found = target.observation
            if not assess_loss(topology, target.node, found).none:
                continue
            records = [entry for entry in self.log[: self.has[best]] if entry[0] == "record"]
            assert records and found.recorded_at is not None, "nothing is recorded"
            assert records[-1][4] == self.timeline, "another primary was recorded"
            unchanged = found.recorded_at >= _moment(self.configured)
            assert not unchanged or self.has[best] >= self.acknowledged, "an acknowledged write is missing"


def _moment(number: int) -> datetime:
    return _START + timedelta(seconds=number)


Records.TestCase.settings = settings(max_examples=3 * settings().max_examples, stateful_step_count=30)
TestRecords = Records.TestCase
