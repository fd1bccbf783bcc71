"""Writes of two kinds to one customer at the same time: the chain of its audit has room for both."""

from __future__ import annotations

import subprocess

from tests.conftest import ADA
from tests.servers.projects import EngineProject

WRITERS = 3
PASSWORD = "correct horse battery staple"


def test_passwords_and_updates_of_one_customer_race(engine_project: EngineProject) -> None:
    engine_project.ok("migrate")
    engine_project.ok("customer", "add", *ADA)
    running = []
    for number in range(WRITERS):
        setting = engine_project.start("customer", "set-password", "ada@example.com", "--stdin", stdin=subprocess.PIPE)
        assert setting.stdin is not None
        setting.stdin.write(f"{PASSWORD} {number}\n".encode())
        setting.stdin.close()
        setting.stdin = None
        update = ("customer", "update", "ada@example.com", "--city", f"City {number}", "--retries", "20")
        running += [setting, engine_project.start(*update)]
    ended = [process.communicate(timeout=60) for process in running]
    assert [process.returncode for process in running] == [0] * len(running), ended

    entries = engine_project.ok("audit", "list", "-o", "json").json["items"]
    actions = [entry["action"] for entry in entries]
    assert (actions.count("set-password"), actions.count("update")) == (WRITERS, WRITERS)
    assert sorted(entry["sequence"] for entry in entries) == list(range(1, 2 * WRITERS + 2))
    engine_project.ok("audit", "verify")
