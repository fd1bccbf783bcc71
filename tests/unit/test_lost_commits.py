"""The outcome of a lost commit is asked for until a deadline, whatever the database answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from custctl.customers import transactions
from custctl.customers.transactions import Transactions
from custctl.support.errors import CommitLostError, ConflictError, OutcomeUnknownError, UnavailableError


class Stuck:
    """A database that loses the first commit, and then answers with what it is given, the last one for ever."""

    def __init__(self, *answers: Exception | bool) -> None:
        self.answers = list(answers)
        self.asked = 0

    def transact(self, work: Callable[[Any], Any]) -> Any:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def run(database: Stuck) -> Any:
    part = lambda: 0  # noqa: E731
    return Transactions(cast("Any", database), "development", "ada").run("op", lambda *_: None, part=part)


LOST, TAKEN = CommitLostError("lost"), ConflictError("taken")


def test_a_conflict_for_ever_is_an_unknown_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "_PATIENCE", 0.0)
    with pytest.raises(OutcomeUnknownError, match="lost, and whether it was written is unknown: taken"):
        run(Stuck(LOST, TAKEN))


def test_after_a_conflict_it_is_asked_once_more_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "_PATIENCE", 0.0)
    database = Stuck(LOST, TAKEN, False)
    with pytest.raises(UnavailableError, match="nothing was written"):
        run(database)
    assert database.asked == 3
