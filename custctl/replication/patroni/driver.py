"""A cluster that Patroni manages: requests go to its REST API, and the nodes themselves must confirm the outcome."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from custctl.engines.at_once import at_once
from custctl.replication.driver import Driver
from custctl.replication.nodes import Means
from custctl.replication.patroni import plan as patroni_plan
from custctl.replication.patroni.api import Access, Answer, PatroniApi
from custctl.replication.patroni.view import Status, View, read_status
from custctl.replication.plan import SWITCHOVER
from custctl.replication.planning import require_environment
from custctl.support.errors import CredentialError, CustctlError, IncompleteError, OutcomeUnknownError, RefusedError

if TYPE_CHECKING:
    from custctl.engines.model import Node
    from custctl.replication.journal import Intent
    from custctl.replication.plan import Accepted, Plan, Step
    from custctl.replication.topology import Replica, Topology

_SWITCHING = 60.0  # seconds: the old primary writes a last checkpoint first, and the new one replays what it has
_SETTLING = 10.0  # seconds after Patroni's answer for the nodes to confirm it
_RETURNING = 30.0  # seconds for the old primary to become a standby
_RECOVERING = 5.0  # seconds for Patroni to recover a node by itself before it is copied again
_COPYING = 60.0  # seconds to wait for a new copy of a node
_LOOK = 0.05  # seconds between two polls
_GRACE = 1.0  # seconds beyond the API's own timeout, whose error says more
_DENIED = (401, 403)


class PatroniDriver(Driver):
    """PostgreSQL's replication, managed by Patroni."""

    name = "patroni"
    irrevocable: ClassVar[str] = patroni_plan.REQUEST
    brings_back: ClassVar[bool] = True

    def __init__(self, means: Means) -> None:
        super().__init__(means)
        access = Access.of(means.environ)
        named = self._profile.database
        self._apis = {
            node.name: PatroniApi(node.host, node.api_port, access, named.connect_timeout) for node in named.nodes
        }
        self._view = View({}, self._nodes())

    @property
    def _group(self) -> str | None:
        return self._profile.database.replication.group

    # -- observing ---------------------------------------------------------------------------------

    def observe(self) -> Topology:
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(self._ask_patroni)
            topology = self._look()
            self._view = asked.result()
        return replace(
            topology, troubles=tuple(self._view.troubles(topology, self._group)), notes=tuple(self._view.notes())
        )

    def _ask_patroni(self) -> View:
        calls = {name: partial(_ask, api) for name, api in self._apis.items()}
        return View(at_once(calls, self._profile.database.connect_timeout + _GRACE), self._nodes())

    # -- planning ----------------------------------------------------------------------------------

    def _plan_switchover(self, topology: Topology, target: str, operation_id: str, unfinished: Intent | None) -> Plan:
        return patroni_plan.plan_switchover(topology, self._view, target, operation_id, unfinished)

    def _plan_failover(
        self, topology: Topology, target: str, accepted: Accepted, operation_id: str, unfinished: Intent | None
    ) -> Plan:
        return patroni_plan.plan_failover(topology, self._view, target, accepted, operation_id, unfinished)

    def candidate(self, topology: Topology) -> str:
        return patroni_plan.candidate(topology, self._view)

    def way_out(self, topology: Topology) -> str | None:
        return self._view.way_out or super().way_out(topology)

    def _require_ours(self, topology: Topology) -> None:
        """Refuse a cluster that is not the profile's, or in production an API that gets its password unencrypted."""
        self._view.require(self._group)
        require_environment(topology, self._profile)
        exposed = [str(api) for api in self._apis.values() if api.is_exposed]
        if exposed and self._profile.environment == "production":
            raise RefusedError(
                f"{exposed[0]} would receive its password unencrypted, which is refused in production",
                hint="give the API a certificate, and set `PATRONI_CTL_CACERT` to its authority",
            )

    # -- steps -------------------------------------------------------------------------------------

    def _steps(self) -> Mapping[str, Callable[[Plan, Step], str]]:
        return {
            "check": self._check,
            patroni_plan.REQUEST: self._request,
            "record": self._record,
            "verify": self._verify,
            "follow": self._follow,
        }

    def undo(self, plan: Plan, step: Step) -> str:
        return ""

    def _check(self, plan: Plan, step: Step) -> str:
        """Look again: the plan may have waited an hour for a confirmation."""
        topology = self.observe()
        self._require_sound(topology)
        leading = topology.primary[0].name if topology.primary else None
        wanted = plan.old if plan.kind == SWITCHOVER else None
        if leading != wanted:
            is_now = f"`{leading}` is the primary now" if leading else f"`{wanted}` is no longer the primary"
            raise RefusedError(is_now, hint="`custctl replica status` shows the current state")
        return ""

    def _request(self, plan: Plan, step: Step) -> str:
        """Ask Patroni, and wait until the nodes show the outcome: Patroni's answer may be late, or be lost.

        Raises:
            RefusedError: Patroni refuses; nothing has changed.
            CredentialError: Patroni refuses the login.
            IncompleteError: another node is the primary now.
            UnavailableError: Patroni does not answer.
            OutcomeUnknownError: the target is not the primary yet.
        """
        api = self._answering_api(plan.target)
        answers: queue.SimpleQueue[Answer | CustctlError] = queue.SimpleQueue()
        body = {"candidate": self._patroni_name(plan.target)}
        if plan.kind == SWITCHOVER and plan.old is not None:
            body["leader"] = self._patroni_name(plan.old)
        threading.Thread(target=_post, args=(api, f"/{plan.kind}", body, answers), daemon=True).start()
        deadline = time.monotonic() + _SWITCHING
        answer: Answer | CustctlError | None = None
        while time.monotonic() < deadline:
            writable = self._writable()
            if plan.target in writable:
                return ""
            _check_unchanged(plan, writable, answer)
            if answer is not None:
                time.sleep(_LOOK)
                continue
            try:
                answer = answers.get(timeout=_LOOK)
            except queue.Empty:
                continue
            _check_accepted(answer)
            if isinstance(answer, Answer):
                deadline = min(deadline, time.monotonic() + _SETTLING)
        told = f"Patroni says {answer}" if isinstance(answer, Answer) else "Patroni's answer is missing"
        raise OutcomeUnknownError(f"`{plan.target}` does not accept writes yet; {told}")

    def _writable(self) -> list[str]:
        return [node.name for node, _ in self._look().writable]

    def _follow(self, plan: Plan, step: Step) -> str:
        """Wait until Patroni has made the old primary a standby."""
        if not self._follows_within(step.node, _RETURNING):
            raise IncompleteError(
                f"`{step.node}` does not follow `{plan.target}` after {_RETURNING:g} s",
                hint=f"`custctl replica rejoin {step.node}` lets Patroni recreate it from a copy",
            )
        return ""

    def _answering_api(self, preferred: str) -> PatroniApi:
        """Return the API of a node that has just answered: every node takes requests for the whole cluster."""
        statuses = self._view.statuses
        return self._apis[preferred if preferred in statuses else next(iter(statuses))]

    def _patroni_name(self, node: str) -> str:
        member = self._view.members.get(node)
        if member is None:
            raise RefusedError(f"Patroni no longer knows `{node}`", hint="check that Patroni is running there")
        return member.name

    # -- single nodes ------------------------------------------------------------------------------

    def fence(self, node: str) -> str:
        self.node(node)
        raise RefusedError(
            f"Patroni decides which node accepts writes, including `{node}`",
            hint="`replica switchover` makes another node the primary; to stop this one permanently, `patronictl pause`"
            " and stop PostgreSQL there, or stop Patroni there",
        )

    def unfence(self, node: str) -> str:
        self.node(node)
        raise RefusedError(
            f"Patroni decides which node accepts writes, including `{node}`",
            hint="`patronictl resume` ends its maintenance mode; if Patroni was stopped there, start it",
        )

    def _rejoin(self, topology: Topology, node: Node, primary: Replica) -> Sequence[str]:
        name = node.name
        if topology.follows(name):
            return ()
        answer = self._view.answers[name]
        if isinstance(answer, CustctlError):
            raise answer
        if self._follows_within(name, _RECOVERING):
            return ()
        self._means.note(f"Patroni copies the primary to `{name}`: {self._copy(name)}")
        if not self._follows_within(name, _COPYING):
            raise IncompleteError(
                f"Patroni has not brought `{name}` back within {_COPYING:g} s; it is still working on it",
                hint=f"`custctl replica status` shows it; `custctl replica rejoin {name}` again keeps waiting",
            )
        return ()

    def _copy(self, node: str) -> str:
        """Make Patroni recreate a node from a copy, and return its answer; a running copy continues."""
        api, timeout = self._apis[node], self._profile.database.connect_timeout
        answer = api.post("/reinitialize", {}, timeout)
        if answer.status == 503 and "in progress" in answer.words and "reinitialize" not in answer.words:
            # Another action is in progress, such as repeated attempts to start the node.
            answer = api.post("/reinitialize", {"force": True}, timeout)
        _check_accepted(answer)
        if answer.status != 200 and "reinitialize already" not in answer.words:
            raise RefusedError(f"Patroni does not copy the primary to `{node}`: {answer}")
        return answer.words


def _ask(api: PatroniApi) -> Status:
    return read_status(api.get("/patroni"), api.get("/cluster"))


def _post(
    api: PatroniApi, path: str, body: Mapping[str, str], answers: queue.SimpleQueue[Answer | CustctlError]
) -> None:
    try:
        answers.put(api.post(path, body, _SWITCHING))
    except CustctlError as error:
        answers.put(error)


def _check_accepted(answer: Answer | CustctlError) -> None:
    """Raise an error if Patroni's answer is a refusal."""
    if isinstance(answer, OutcomeUnknownError):
        return
    if isinstance(answer, CustctlError):
        raise answer
    if answer.status in _DENIED:
        raise CredentialError(
            f"Patroni refuses the login to its REST API: {answer}",
            hint="set `PATRONI_RESTAPI_USERNAME` and `PATRONI_RESTAPI_PASSWORD`",
        )
    if 400 <= answer.status < 500:
        raise RefusedError(f"Patroni refuses: {answer}", hint="`patronictl list` shows the state that it decides by")


def _check_unchanged(plan: Plan, writable: Sequence[str], answer: Answer | CustctlError | None) -> None:
    """Raise if the nodes show that the target will not become the primary.

    Raises:
        IncompleteError: another node accepts writes.
        RefusedError: the old primary still does, and Patroni has given up on the request.
    """
    others = [name for name in writable if name != plan.old]
    if others:
        raise IncompleteError(
            f"Patroni has made `{others[0]}` the primary, and not `{plan.target}`",
            hint=f"`custctl replica failover --to {others[0]}` records the fork of the history",
        )
    if writable and isinstance(answer, Answer) and answer.status == 503 and answer.words.endswith("failed"):
        raise RefusedError(f"Patroni gave up: {answer}", hint="Patroni's log on the leader shows why")
