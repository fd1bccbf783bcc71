"""The plan of a switchover or failover: an immutable value, made from what was observed and carried out unchanged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

SWITCHOVER, FAILOVER = "switchover", "failover"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a plan. Steps are idempotent.

    Attributes:
        name: the kind of step.
        node: the node it acts on.
        what: a description for a person.
    """

    name: str
    node: str
    what: str


@dataclass(frozen=True, slots=True)
class Loss:
    """Which of the old primary's acknowledged writes the new one may lack.

    Attributes:
        none: whether it is proven that none is lost.
        why: the proof, or why there is none.
        since: writes acknowledged after this moment may be lost, none before it; None if unknown.
        seconds: how long ago that was.
        bytes: how much of the log is known to be missing; there may be more that nobody has seen.
    """

    none: bool
    why: str
    since: datetime | None = None
    seconds: float | None = None
    bytes: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields by name, as plain values."""
        return {**asdict(self), "since": _text(self.since) if self.since else None}

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Loss:
        """Rebuild a loss from `as_dict`, as the audit stores it."""
        since = facts.get("since")
        return cls(
            none=bool(facts.get("none")),
            why=str(facts.get("why", "")),
            since=datetime.fromisoformat(since) if since else None,
            seconds=facts.get("seconds"),
            bytes=facts.get("bytes"),
        )

    def __str__(self) -> str:
        if self.none:
            return f"no acknowledged write is lost: {self.why}"
        if self.since is None:
            bound = "it is unknown how much may be lost"
        else:
            bound = f"writes acknowledged after {_text(self.since)} may be lost, up to {self.seconds:.1f} s of them"
        known = f"; {self.bytes} bytes of the log are known to be missing" if self.bytes else ""
        return f"{bound}{known}: {self.why}"


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


NO_LOSS = Loss(none=True, why="the target has everything that the primary had acknowledged when it was fenced")


UNKNOWN_LOSS = Loss(none=False, why="the history forked before this command, and it is unknown what was lost")


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the operator confirms and accepts.

    Attributes:
        primary_is_stopped: the old primary is stopped, and will not come back by itself.
        data_loss: acknowledged writes may be lost.
    """

    primary_is_stopped: bool = False
    data_loss: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """A switchover or failover.

    Attributes:
        kind: switchover or failover.
        operation_id: the UUID it is journalled and audited under.
        old: the old primary; None if unknown.
        target: the node that becomes the primary.
        steps: in order.
        loss: what may be lost.
        warnings: what the operator should know before confirming.
        facts: further plain values that the driver needs, by name.
    """

    kind: str
    operation_id: str
    old: str | None
    target: str
    steps: tuple[Step, ...]
    loss: Loss = NO_LOSS
    warnings: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether the target is the primary and nothing is left to do."""
        return not self.steps
