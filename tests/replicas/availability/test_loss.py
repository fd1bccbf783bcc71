"""What is proven of a group without a cluster, against a model of what its primary can have acknowledged."""

from __future__ import annotations

from hypothesis import event, given, settings
from hypothesis import strategies as st

from custctl.engines.members import GroupDatabase, GroupState, Observation, Role
from custctl.engines.model import Node
from custctl.replication.availability_group.loss import assess_loss
from custctl.replication.topology import Seen, Topology

SYNCHRONOUS, ASYNCHRONOUS = "SYNCHRONOUS_COMMIT", "ASYNCHRONOUS_COMMIT"


@st.composite
def groups(draw: st.DrawFn) -> tuple[Topology, dict[str, int], int]:
    """Return a group whose primary is gone, how far each replica has come, and what was acknowledged at the most."""
    names = [f"sql{at}" for at in range(1, draw(st.integers(2, 5)) + 1)]
    modes = {name: draw(st.sampled_from([SYNCHRONOUS, SYNCHRONOUS, ASYNCHRONOUS])) for name in names}
    required = draw(st.integers(0, len(names) - 1))
    primary, *secondaries = names
    reached = {name: draw(st.integers(0, 3)) for name in secondaries}
    reached[primary] = max(reached.values()) + draw(st.integers(0, 2))
    acknowledged = reached[primary]  # whatever it was to wait for: that may have been changed, and not heard of
    answering = draw(st.sets(st.sampled_from(secondaries), min_size=1) | st.just(set(secondaries)))
    back = draw(st.booleans())  # the old primary answers, and was taken offline

    named = {name.upper(): mode for name, mode in modes.items()}

    def seen(name: str) -> Seen:
        node = Node(name, "127.0.0.1", 1433)
        if not (name in answering or (name == primary and back)):
            return Seen(node, None)
        role = "RESOLVING" if name == primary else "SECONDARY"
        databases = (GroupDatabase("shop", hardened=reached[name]),)
        group = GroupState("ag", "NONE", name.upper(), role, None, required, named, databases)
        return Seen(node, Observation(Role.STANDBY, writable=False, group=group))

    return Topology(tuple(map(seen, names)), 5.0), reached, acknowledged


@settings(max_examples=5 * settings().max_examples)
@given(groups())
def test_no_loss_is_proven_only_where_the_target_has_all_that_can_have_been_acknowledged(
    drawn: tuple[Topology, dict[str, int], int],
) -> None:
    topology, reached, acknowledged = drawn
    for node, found in topology.standbys:
        loss = assess_loss(topology, node, found)
        event(f"proven: {loss.none}")
        if loss.none:
            assert reached[node.name] >= acknowledged
        else:
            assert loss.why
