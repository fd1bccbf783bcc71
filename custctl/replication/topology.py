"""The roles of the nodes at one moment, and the health of the cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from custctl.engines.members import Role
from custctl.replication.quorum import parse_synchronous
from custctl.support.errors import CustctlError, ExitCode
from custctl.support.text import plural
from custctl.support.units import format_duration

if TYPE_CHECKING:
    from custctl.engines.members import Observation
    from custctl.engines.model import Node


class Health(StrEnum):
    """The health of a cluster, and the exit code of `replica status --check`."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    NO_PRIMARY = "no_primary"
    SPLIT_BRAIN = "split_brain"

    @property
    def in_words(self) -> str:
        """The wording in messages."""
        return {
            Health.HEALTHY: "healthy",
            Health.DEGRADED: "degraded",
            Health.NO_PRIMARY: "without a primary that accepts writes",
            Health.SPLIT_BRAIN: "split: more than one node accepts writes",
        }[self]

    @property
    def exit_code(self) -> ExitCode:
        """The exit code for this health."""
        return {
            Health.HEALTHY: ExitCode.OK,
            Health.DEGRADED: ExitCode.INCOMPLETE,
            Health.NO_PRIMARY: ExitCode.UNAVAILABLE,
            Health.SPLIT_BRAIN: ExitCode.SPLIT_BRAIN,
        }[self]


Replica = tuple["Node", "Observation"]
"""A node that answers, and what it reports."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A node of the profile: what it reports, or why it does not answer."""

    node: Node
    observation: Observation | None
    fault: CustctlError | None = None

    @property
    def name(self) -> str:
        """The node's name in the profile."""
        return self.node.name


@dataclass(frozen=True, slots=True)
class Topology:
    """All nodes of a profile, queried at once.

    Attributes:
        nodes: in the profile's order.
        max_lag: seconds that a standby may be behind and still serve reads.
        troubles: problems that a cluster manager reports.
        notes: what else the manager reports; does not affect the health.
    """

    nodes: tuple[Seen, ...]
    max_lag: float
    troubles: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def find(self, name: str) -> Seen | None:
        """Return a node by name; None if the profile has no such node."""
        return next((seen for seen in self.nodes if seen.name == name), None)

    def answered(self) -> Iterator[Replica]:
        """Yield the nodes that answer."""
        for seen in self.nodes:
            if seen.observation is not None:
                yield seen.node, seen.observation

    @property
    def silent(self) -> tuple[Seen, ...]:
        """The nodes that do not answer."""
        return tuple(seen for seen in self.nodes if seen.observation is None)

    @property
    def primaries(self) -> list[Replica]:
        """The nodes that are not standbys, including fenced ones."""
        return [(node, seen) for node, seen in self.answered() if seen.role is Role.PRIMARY]

    @property
    def writable(self) -> list[Replica]:
        """The nodes that accept writes."""
        return [(node, seen) for node, seen in self.answered() if seen.writable]

    @property
    def standbys(self) -> list[Replica]:
        """The nodes that follow another one."""
        return [(node, seen) for node, seen in self.answered() if seen.role is Role.STANDBY]

    @property
    def primary(self) -> Replica | None:
        """The only node that accepts writes; None if there is none, or more than one."""
        found = self.writable
        return found[0] if len(found) == 1 else None

    def follows(self, name: str) -> bool:
        """Tell whether a node is a standby that receives from the primary, on the same timeline."""
        seen = self.find(name)
        found = seen.observation if seen is not None else None
        if found is None or self.primary is None or found.role is not Role.STANDBY:
            return False
        return found.receiving and found.timeline == self.primary[1].timeline

    @property
    def health(self) -> Health:
        """The health of the cluster."""
        if len(self.writable) > 1:
            return Health.SPLIT_BRAIN
        if not self.writable:
            return Health.NO_PRIMARY
        return Health.DEGRADED if self.reasons() else Health.HEALTHY

    def reasons(self) -> list[str]:
        """Return all problems, one line each."""
        told = []
        if len(self.writable) > 1:
            told.append(f"{_names(self.writable)} accept writes independently")
        for seen in self.silent:
            told.append(f"`{seen.name}` does not answer: {seen.fault.message if seen.fault else 'no information'}")
        if not self.writable and not self.primaries:
            told.append("no node that answers is the primary")
        for node, found in self.primaries:
            if not found.writable:
                told.append(f"`{node.name}` is fenced: it is not a standby and does not accept writes")
        if len({found.cluster_id for _, found in self.answered() if found.cluster_id}) > 1:
            told.append("the nodes do not belong to one cluster: their system identifiers differ")
        for node, found in self.standbys:
            told.extend(self._troubles(node, found))
        if self.primary is not None:
            told.extend(_troubles_of_primary(*self.primary))
            told.extend(self._late_confirmations(*self.primary))
        return [*told, *self.troubles]

    def _troubles(self, node: Node, found: Observation) -> Iterator[str]:
        primary = self.primary[1] if self.primary else None
        if (
            primary is not None
            and None not in (primary.timeline, found.timeline)
            and primary.timeline != found.timeline
        ):
            yield f"`{node.name}` is on timeline {found.timeline}, and the primary on {primary.timeline}"
        elif not found.receiving:
            yield _why_idle(node, found)
        if primary is not None and found.manager is None and found.synchronous != primary.synchronous:
            yield f"`{node.name}` and the primary differ in `synchronous_standby_names`: a failover could not prove that nothing is lost"
        if found.replay_paused:
            yield f"the replay of `{node.name}` is paused"
        if found.apply_delay and found.receiving:
            # A delayed standby's replay lag is intended; `remarks` reports it.
            return
        if found.lag is None:
            yield f"it is unknown how far `{node.name}` is behind"
        elif found.lag > self.max_lag:
            yield f"`{node.name}` is {found.lag:.1f} s behind, more than {self.max_lag:g} s"

    def _late_confirmations(self, node: Node, found: Observation) -> Iterator[str]:
        """Report commits that wait until a standby that is delayed on purpose has replayed them."""
        wanted = parse_synchronous(found.synchronous)
        if wanted is None or not (found.waits_for_standbys and found.waits_for_replay):
            return
        delays = {seen.name: seen.apply_delay for _, seen in self.standbys if seen.apply_delay}
        confirming = [each.name for each in found.attached if each.sync_state in ("sync", "quorum")]
        late = sorted(delays[name] for name in confirming if name in delays)
        missing = wanted.count - (len(confirming) - len(late))
        # Of a list by priority, only the standbys that commits wait for are `sync`.
        if 0 < missing <= len(late):
            yield (
                f"commits on `{node.name}` wait {format_duration(late[missing - 1])}: `synchronous_commit` is `remote_apply`, and"
                f" too few standbys of `{found.synchronous}` replay without a delay"
            )

    def remarks(self) -> list[str]:
        """Return what else a person should know; does not affect the health."""
        delayed = [(node, found) for node, found in self.standbys if found.apply_delay]
        return [
            *(
                f"`{node.name}` replays {format_duration(found.apply_delay)} late on purpose (`recovery_min_apply_delay`)"
                for node, found in delayed
            ),
            *(
                f"`{node.name}` keeps a password in `primary_conninfo`, which its server logs when the setting changes:"
                " use a password file instead (`passfile=`)"
                for node, found in self.standbys
                if found.keeps_password
            ),
            *self._record_in_words(),
            *self.notes,
        ]

    def _record_in_words(self) -> Iterator[str]:
        recorded = self.recorded()
        if recorded is not None:
            age = f"{recorded['age_s']:.0f} s ago" if recorded["age_s"] is not None else "at an unknown time"
            yield f"recorded {age}: commits wait for `{recorded['synchronous'] or 'no standby'}`"

    def recorded(self) -> dict[str, Any] | None:
        """Return the recorded list of standbys that commits wait for, as a dict; None if none is recorded."""
        found = self.primary[1] if self.primary else next((seen for _, seen in self.standbys), None)
        if found is None or found.recorded_synchronous is None:
            return None
        at, now = found.recorded_at, found.now
        return {
            "synchronous": found.recorded_synchronous,
            "at": at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None,
            "age_s": round(max((now - at).total_seconds(), 0.0), 1) if at and now else None,
        }

    def records(self) -> list[dict[str, Any]]:
        """Return a row for each node."""
        return [self._record(seen) for seen in self.nodes]

    def _record(self, seen: Seen) -> dict[str, Any]:
        found = seen.observation
        record: dict[str, Any] = {
            "node": seen.name,
            "host": seen.node.host,
            "port": seen.node.port,
            "reachable": found is not None,
            "fault": seen.fault.message if seen.fault else None,
        }
        if found is None:
            return record
        return record | {
            "role": str(found.role),
            "writable": found.writable,
            "system_id": found.cluster_id,
            "timeline": found.timeline,
            "epoch": found.epoch,
            "received": _position(found, found.position),
            "replayed": _position(found, found.replayed if found.role is Role.STANDBY else found.position),
            "lag_s": round(found.lag, 3) if found.lag is not None else None,
            "delay_s": found.apply_delay,
            "behind_bytes": self._behind(found),
            "sync_state": self._sync_state(found),
            "source": found.source,
        }

    def _behind(self, found: Observation) -> int | None:
        primary = self.primary[1] if self.primary else None
        if primary is None or found.role is Role.PRIMARY or primary.timeline != found.timeline:
            return None
        # SQL Server's positions count log blocks: their difference is not a number of bytes.
        if primary.position is None or found.replayed is None or found.group is not None:
            return None
        # The nodes are not read at exactly the same moment, so the difference can be negative.
        return max(0, primary.position - found.replayed)

    def _sync_state(self, found: Observation) -> str | None:
        if found.role is Role.PRIMARY:
            return None
        if found.group is not None:
            return found.group.synchronization
        states = {
            attached.sync_state
            for _, other in self.answered()
            for attached in other.attached
            if attached.name == found.name and other.timeline == found.timeline
        }
        # The upstream node cannot distinguish standbys that share a name.
        return states.pop() if len(states) == 1 else None


def check_health(topology: Topology, way_out: str | None, *, strictly: bool) -> None:
    """Raise if no node answers, and with `strictly` also if the cluster is not healthy.

    Args:
        way_out: what an operator can do about it.

    Raises:
        CustctlError: no node answers; or the cluster is not healthy, with the exit code of its health.
    """
    faults = [seen.fault for seen in topology.silent if seen.fault is not None]
    if len(faults) == len(topology.nodes):
        raise next((fault for fault in faults if fault.exit_code is not ExitCode.UNAVAILABLE), faults[0])
    health = topology.health
    if strictly and health.exit_code:
        details = {"health": str(health), "reasons": topology.reasons()}
        error = CustctlError(f"the cluster is {health.in_words}", hint=way_out, details=details)
        error.exit_code = health.exit_code
        raise error


def _why_idle(node: Node, found: Observation) -> str:
    group = found.group
    if group is not None and group.role == "RESOLVING":
        return f"`{node.name}` is RESOLVING: the group is offline there, or it does not know a primary"
    suspended = [database.name for database in group.databases if database.suspended] if group is not None else []
    if suspended:
        return f"data movement of `{suspended[0]}` on `{node.name}` is suspended until it rejoins"
    return f"`{node.name}` does not receive from any node"


def missing_confirmations(node: Node, found: Observation) -> str | None:
    """Return why commits on a primary never finish: they wait for missing standbys. None if they do finish."""
    wanted = parse_synchronous(found.synchronous)
    if wanted is None or found.role is not Role.PRIMARY or not found.waits_for_standbys:
        return None
    attached = [each for each in found.attached if wanted.lists(each.name) and each.streaming]
    if len(attached) >= wanted.count:
        return None
    count = len(attached)
    return (
        f"commits on `{node.name}` wait for {plural(wanted.count, 'standby', 'standbys')} of"
        f" `{found.synchronous}`, and {count or 'none'} {'are' if count > 1 else 'is'} attached: they never finish"
    )


UNCONFIRMED = (
    "start the missing standbys; or drop the guarantee: `ALTER SYSTEM SET synchronous_standby_names = ''`, then"
    " `SELECT pg_reload_conf()` on the primary"
)
"""What an operator does about commits that wait for missing standbys."""


def _troubles_of_primary(node: Node, found: Observation) -> Iterator[str]:
    waiting = missing_confirmations(node, found)
    if waiting is not None:
        yield waiting
    if found.group is not None:
        ready = sum(each.sync_state == "sync" for each in found.attached)
        if ready < found.group.required_synchronized:
            yield (
                f"`{node.name}` waits for {plural(found.group.required_synchronized, 'secondary', 'secondaries')}, and"
                f" {ready or 'none'} {'are' if ready > 1 else 'is'} synchronized: commits there never finish"
            )
    if is_recorded_otherwise(found):
        yield (
            f"`{node.name}` waits for other standbys than recorded: an administrator's `custctl replica status` records"
            " it; until then a failover cannot prove that nothing is lost"
        )
    if is_uncounted(found):
        branch = f"timeline {found.fork}" if found.branch is None else f"recovery fork {found.fork}"
        yield (
            f"the history has forked since epoch {found.epoch}, at {branch}: run `custctl replica switchover"
            f" --to {node.name}` to record it"
        )


def is_recorded_otherwise(found: Observation) -> bool:
    """Tell whether a node's setting makes commits wait for other standbys than last recorded."""
    return found.recorded_synchronous is not None and found.recorded_synchronous != found.waited_for


def is_to_record(primary: Observation) -> bool:
    """Tell whether a primary's record must be renewed: the setting differs, or may have changed and changed back."""
    if primary.environment is None:
        return False
    at, configured = primary.recorded_at, primary.configured
    return primary.recorded_synchronous != primary.waited_for or at is None or configured is None or at < configured


def is_to_count(primary: Observation) -> bool:
    """Tell whether a primary's branch of the history still has to be counted.

    A primary without a count is on its first branch, or was promoted by somebody else.
    """
    return is_uncounted(primary) or (primary.fork is None and primary.timeline != 1)


def is_uncounted(primary: Observation) -> bool:
    """Tell whether the history is on another branch than the one its epoch was counted for."""
    branch = primary.branch or (str(primary.timeline) if primary.timeline is not None else None)
    return None not in (primary.fork, branch) and primary.fork != branch


def _position(found: Observation, position: int | None) -> str | None:
    """Return a position in its server's notation."""
    return position_text(position) if found.group is None else lsn_text(position)


def lsn_text(position: int | None) -> str | None:
    """Return a SQL Server position in its tools' notation, `00000024:000001a8:0001`: log file, block and slot.

    Source: https://learn.microsoft.com/sql/relational-databases/sql-server-transaction-log-architecture-and-management-guide
    """
    if position is None:
        return None
    file, rest = divmod(position, 10**15)
    block, slot = divmod(rest, 10**5)
    return f"{file:08x}:{block:08x}:{slot:04x}"


def position_text(position: int | None) -> str | None:
    """Return a position in PostgreSQL's notation: `16/B374D848`."""
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}" if position is not None else None


def _names(nodes: Sequence[Replica]) -> str:
    *others, last = [f"`{node.name}`" for node, _ in nodes]
    return f"{', '.join(others)} and {last}" if others else last
