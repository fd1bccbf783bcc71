"""Which writes acknowledged by its primary a replica of an availability group may lack: pure functions.

Source: https://learn.microsoft.com/sql/database-engine/availability-groups/windows/
failover-and-failover-modes-always-on-availability-groups
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from custctl.replication.plan import Loss
from custctl.replication.planning import unproven

if TYPE_CHECKING:
    from custctl.engines.members import GroupState, Observation
    from custctl.engines.model import Node
    from custctl.replication.topology import Topology

WSFC = "WSFC"
SYNCHRONOUS, CONFIGURATION = "SYNCHRONOUS_COMMIT", "CONFIGURATION_ONLY"
NORMAL_QUORUM = "NORMAL_QUORUM"


def group_of(found: Observation) -> GroupState:
    """Return the group of a node that is known to be in one."""
    assert found.group is not None
    return found.group


def hardened(found: Observation) -> dict[str, int | None]:
    """Return, for each database, the position up to which a replica has it on disk."""
    return {database.name: database.hardened for database in group_of(found).databases}


def lacks(found: Observation, other: Observation) -> bool:
    """Tell whether another replica is known to have more of any database."""
    mine = hardened(found)
    return any(position is not None and position > (mine.get(name) or 0) for name, position in hardened(other).items())


def unseen(topology: Topology) -> set[str]:
    """Return the names, in lower case, of the data replicas that do not answer."""
    groups = [group_of(seen) for _, seen in topology.answered()]
    data = {name.lower() for group in groups for name, mode in group.modes.items() if mode != CONFIGURATION}
    return data - {group.replica.lower() for group in groups}


def assess_loss(topology: Topology, node: Node, found: Observation) -> Loss:
    """Return what the old primary may have acknowledged and a secondary may lack.

    A Windows cluster with quorum stores for every database whether a replica is synchronized. The primary acknowledges
    a write that such a replica lacks only after the cluster has cleared that state. Without a cluster, a replica does
    not learn when the primary continues without it, or when somebody lets commits wait for fewer secondaries. In that
    case it is only proven that nothing is lost if every replica answers, including the old primary.
    """
    group = group_of(found)
    if group.cluster_type == WSFC:
        if group.quorum == NORMAL_QUORUM and group.failover_ready and group.availability_mode == SYNCHRONOUS:
            return Loss(none=True, why=f"the cluster reports every database as synchronized on `{node.name}`", bytes=0)
        why = (
            f"not every database is synchronized on `{node.name}`"
            if group.quorum == NORMAL_QUORUM
            else "the cluster's quorum is not normal: its view of the replicas may be out of date"
        )
    else:
        why = _doubt(topology, found)
        if not why:
            return Loss(none=True, why=f"every replica answers and none has more than `{node.name}`", bytes=0)
    return unproven(found, why)


def _doubt(topology: Topology, found: Observation) -> str:
    """Return why it is not proven that a replica has every acknowledged write; empty if it is proven."""
    away = sorted(unseen(topology))
    if away:
        return f"without a cluster nobody but `{away[0]}`, which is silent, knows what it has acknowledged"
    if any(None in hardened(seen).values() or not hardened(seen) for _, seen in topology.standbys):
        return "it is unknown how much each replica has received"
    ahead = any(lacks(found, seen) for _, seen in topology.standbys)
    return "another replica has received more" if ahead else ""
