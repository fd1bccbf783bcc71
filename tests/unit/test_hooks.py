"""A signal while a hook starts: the hook is waited for, as it is when the signal comes later."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from custctl.engines.model import Node
from custctl.profiles import Profile, load_profile
from custctl.replication.hooks import run_hook
from custctl.support import signals
from custctl.support.errors import InterruptedRunError, UnavailableError
from tests.conftest import Project

NODE = Node(name="a", host="b", port=1)
PROFILE = """\
environment: development
database:
  engine: postgresql
  nodes: [{name: a, host: b, port: 1}]
  hooks: {fence: [sh, -c, "sleep 0.3; echo it is off; touch ended"], rejoin: [/nowhere/to-be-found],
    unfence: [sh, -c, "sleep 100 & echo $!"]}
"""


@pytest.fixture
def profile(project: Project, monkeypatch: pytest.MonkeyPatch) -> Profile:
    """A profile with a hook that takes a moment, and one that cannot be run."""
    (project.path / "profiles" / "p.yaml").write_text(PROFILE)
    monkeypatch.chdir(project.path)
    return load_profile("p", profiles_dir=None, environ=project.environ, cwd=project.path)


@pytest.fixture(autouse=True)
def _handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # As in a process whose command has not ended: others may have run in this one.
    monkeypatch.setattr(signals, "_exit_code", None)
    monkeypatch.setattr(signals, "received", None)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    signals.install()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def _struck_while_starting(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Send this process a signal within `Popen`, behind the fork."""
    start = subprocess.Popen.__init__

    def starting(self: Any, *arguments: Any, **options: Any) -> None:
        start(self, *arguments, **options)
        os.kill(os.getpid(), number)

    monkeypatch.setattr(subprocess.Popen, "__init__", starting)


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("where", ["start", "began"])
def test_a_hook_that_a_signal_meets_at_its_start_is_waited_for(
    profile: Profile, monkeypatch: pytest.MonkeyPatch, number: int, where: str, held: bool
) -> None:
    told: list[str] = []
    if where == "start":
        _struck_while_starting(monkeypatch, number)

    def began() -> None:
        if where == "began":
            os.kill(os.getpid(), number)

    def run() -> None:
        run_hook(profile, "fence", NODE, os.environ, note=told.append, began=began)

    with pytest.raises(InterruptedRunError, match="ended without an error: it is off") as caught:
        if held:
            with signals.held_back(), signals.let_through():
                run()
        else:
            run()
    assert caught.value.exit_code == 128 + number
    assert len(told) == 1
    assert "waiting for the hook `fence`" in told[0]
    assert Path("ended").exists()


def test_a_signal_while_a_hook_cannot_be_started_leaves_its_error(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def starting(*_arguments: Any, **_options: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(subprocess.Popen, "__init__", starting)
    with pytest.raises(UnavailableError, match="cannot be run"):
        run_hook(profile, "rejoin", NODE, os.environ, note=print)


def test_a_postponed_signal_is_raised_behind_the_block() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt), signals.postponed():
        os.kill(os.getpid(), signal.SIGINT)
        done.append("all of it")
    assert done == ["all of it"]
    with signals.held_back():
        with signals.postponed():
            os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt), signals.let_through():
            pass


def test_a_service_that_a_hook_leaves_in_the_background_is_not_waited_for(profile: Profile) -> None:
    began = time.monotonic()
    service = int(run_hook(profile, "unfence", NODE, os.environ, note=print))
    assert time.monotonic() - began < 30
    os.kill(service, signal.SIGTERM)  # it runs on: this raises nothing


def test_a_hook_without_room_for_its_output_is_told(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    with pytest.raises(UnavailableError, match="for want of a temporary file: No such file or directory") as caught:
        run_hook(profile, "fence", NODE, os.environ, note=print)
    assert "`TMPDIR`" in str(caught.value.hint)
    assert not Path("ended").exists()
