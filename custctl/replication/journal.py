"""The journal of a switchover or failover and its progress on disk, so that a killed run can be resumed.

The nodes report their current state. The journal adds what they cannot know: the target, the operation id, and whether
this tool set the fence and may remove it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from custctl.replication.plan import UNKNOWN_LOSS, Loss
from custctl.support.errors import UnavailableError
from custctl.support.state import locked, state_file

if TYPE_CHECKING:
    from custctl.profiles import Profile
    from custctl.replication.plan import Plan, Step

DONE, ABORTED, INCOMPLETE = "done", "aborted", "incomplete"
"""How an operation ends: everything was done, everything was undone, or the rest is left to a rerun."""


@dataclass(frozen=True, slots=True)
class Intent:
    """An operation, as read from the journal.

    Attributes:
        loss: what could be lost, as planned.
        began: the steps that were begun; the last one may or may not be done.
        ended: how it ended; None if it was killed.
    """

    operation_id: str
    kind: str
    old: str | None
    target: str
    at: str
    actor: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    loss: Loss = UNKNOWN_LOSS
    began: tuple[str, ...] = ()
    ended: str | None = None


class Journal:
    """The journal of one profile on this machine: append-only, one JSON object per line.

    Args:
        path: its file; the folder is created on the first write.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def of(cls, profile: Profile, environ: Mapping[str, str]) -> Journal:
        """Return the journal of a profile."""
        return cls(state_file(profile.name, profile.location, environ, "replica.jsonl"))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Lock out other runs on this machine; the lock ends with the process.

        Raises:
            UnavailableError: another run holds the lock, or the journal cannot be written.
        """
        with ExitStack() as stack:
            try:
                mine = stack.enter_context(locked(self._path))
            except OSError as error:
                raise self._unwritable(error) from None
            if not mine:
                raise UnavailableError(
                    "another switchover or failover of this profile is running on this machine",
                    hint="wait until it ends; `custctl replica history` shows its progress",
                )
            yield

    def begin(self, plan: Plan, actor: str) -> None:
        """Record what will be done, before any of it is."""
        self._add(
            plan.operation_id,
            "begin",
            kind=plan.kind,
            old=plan.old,
            target=plan.target,
            actor=actor,
            facts=dict(plan.facts),
            loss=plan.loss.as_dict(),
        )

    def step(self, plan: Plan, step: Step, state: str, detail: str = "") -> None:
        """Record that a step begins, is done, has failed, or was undone."""
        self._add(plan.operation_id, state, step=step.name, node=step.node, detail=detail)

    def end(self, operation_id: str, outcome: str) -> None:
        """Record how an operation ended: `DONE`, `ABORTED` or `INCOMPLETE`."""
        self._add(operation_id, "end", outcome=outcome)

    def settle(self, plan: Plan) -> None:
        """Record as done an operation whose run was killed, but that has nothing left to do."""
        unfinished = self.unfinished()
        if unfinished is not None and unfinished.operation_id == plan.operation_id:
            self.end(plan.operation_id, DONE)

    def _add(self, operation_id: str, event: str, **facts: Any) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = json.dumps({"at": at, "operation_id": operation_id, "event": event, **facts}, ensure_ascii=False)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # The leading newline separates this line from a torn one that a killed run may have left.
            data = f"\n{line}\n".encode()
            # Buffered: on a disk that fills up, `os.write` may write a part and say nothing.
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "ab") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> UnavailableError:
        return UnavailableError(
            f"the journal `{self._path}` cannot be written: {(error.strerror or str(error)).lower()}",
            hint="it is required: free some disk space, or set another folder with `XDG_STATE_HOME`",
        )

    def operations(self) -> list[Intent]:
        """Return all operations, oldest first."""
        found: dict[str, Intent] = {}
        for event in self._events():
            _apply(found, event)
        return list(found.values())

    def unfinished(self) -> Intent | None:
        """Return the last operation, if a rerun has something left to do."""
        held = self.operations()
        return held[-1] if held and held[-1].ended in (None, INCOMPLETE) else None

    def _events(self) -> Iterator[dict[str, Any]]:
        try:
            text = self._path.read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise UnavailableError(
                f"the journal `{self._path}` cannot be read: {(error.strerror or str(error)).lower()}",
                hint="it records how far a switchover or failover got: make the file readable",
            ) from None
        for line in text.splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue  # blank, or torn by a kill
            if isinstance(event, dict) and isinstance(event.get("operation_id"), str):
                yield event


def _apply(found: dict[str, Intent], event: Mapping[str, Any]) -> None:
    """Apply an event to its operation."""
    key = event["operation_id"]
    held = found.get(key)
    if event["event"] == "begin":
        if held is not None:
            # Resumed: the first `begin` line keeps the facts.
            found[key] = replace(found.pop(key), at=event["at"], actor=event.get("actor", ""), ended=None)
            return
        facts, loss = event.get("facts") or {}, Loss.of(event.get("loss") or {})
        found[key] = Intent(
            key, event["kind"], event["old"], event["target"], event["at"], event.get("actor", ""), facts, loss
        )
    elif held is not None and event["event"] == "begun":
        found[key] = replace(held, began=(*held.began, event["step"]))
    elif held is not None and event["event"] == "end":
        found[key] = replace(held, ended=event["outcome"])
