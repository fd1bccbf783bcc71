"""Which writes acknowledged by a silent primary a standby may lack: pure functions of what was observed."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from custctl.replication.plan import Loss
from custctl.replication.planning import missing_bytes, unproven
from custctl.replication.quorum import holders, parse_synchronous, silent_members
from custctl.replication.topology import is_recorded_otherwise, is_uncounted
from custctl.support.text import plural

if TYPE_CHECKING:
    from custctl.engines.members import Observation
    from custctl.engines.model import Node
    from custctl.replication.topology import Topology


def assess_loss(topology: Topology, node: Node, found: Observation) -> Loss:
    """Return what the old primary may have acknowledged and a standby may lack.

    With synchronous replication a commit is acknowledged once a number of standbys have it. If so few of them are
    silent that a reachable one must have it, the standby that has received the most has every acknowledged write. The
    old primary's setting can no longer be read, so the setting recorded on this branch of the history is used, and all
    standbys must have the same one. A standby that has the record has every write acknowledged before it. The proof
    holds only if nobody changed the primary's setting since, so it names the time of the record.
    """
    doubt = _doubt(topology, found)
    if doubt:
        return unproven(found, doubt, missing_bytes(topology, found))
    why = f"`{node.name}` has everything that `{found.synchronous}` has acknowledged{_as_recorded(found)}"
    return Loss(none=True, why=why, bytes=0)


def _doubt(topology: Topology, found: Observation) -> str:
    """Return why it is not proven that a standby has every acknowledged write; empty if it is proven."""
    standbys = topology.standbys
    if len({seen.synchronous for _, seen in standbys}) > 1:
        return "the nodes differ in `synchronous_standby_names`"
    wanted = parse_synchronous(found.synchronous)
    if wanted is None or not standbys:
        return "replication is asynchronous"
    if not all(seen.waits_for_standbys for _, seen in standbys):
        return "`synchronous_commit` lets commits be acknowledged before a standby has them"
    if found.recorded_synchronous is None or is_uncounted(found):
        return "which standbys the primary's commits waited for was never recorded"
    if is_recorded_otherwise(found):
        return f"the primary waited for `{found.recorded_synchronous or 'no standby'}` when that was last recorded"
    names = [seen.name or "" for _, seen in standbys]
    silent = silent_members(wanted, names, [each.name for each in topology.silent])
    if not holders(wanted, names, silent):
        are_silent = plural(silent, "synchronous standby is", "synchronous standbys are")
        return f"{are_silent} silent, and a commit waits for {wanted.count}"
    if reach(found) < max(reach(seen) for _, seen in standbys if wanted.lists(seen.name)):
        return "another synchronous standby has received more"
    return ""


def _as_recorded(found: Observation) -> str:
    at = found.recorded_at
    return f"; the primary waited for it at {at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if at is not None else ""


def reach(seen: Observation) -> tuple[int, int]:
    """Return how much a standby has received, comparable across branches of the history."""
    return seen.timeline or 0, seen.position or 0
