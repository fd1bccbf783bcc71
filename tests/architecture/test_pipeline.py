"""The pipeline's steps as far as they go without a Docker engine: what they refuse, and what their files say."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import REPOSITORY

STEPS = ["build", "test", "scan", "image", "gate", "deploy", "rollback-check"]
# It answers with its id and those of the images, and writes down what else it is asked to do.
DOCKER = """#!/bin/sh
case "$1 $2" in
  "info "*) echo ENGINE ;;
  "image inspect") id=$([ "$DOCKER_HOST" = unix:///var/run/docker.sock ] && echo "$MADE" || echo "$THERE"); echo "$id"; [ "$id" ] ;;
  *) echo "$@" >>"$CALLS"; exit 1 ;;
esac
"""


def pipeline(tmp_path: Path, engines: str, step: str, *, made: str = "1", there: str = "1") -> tuple[int, str, str]:
    """Run a step in a copy of its own, and return the exit code, stderr and what was done to the engine.

    Args:
        made: the id of the image on the engine that builds; empty if it has none.
        there: its id on the engine to deploy to.
    """
    (tmp_path / "ci").mkdir()
    (tmp_path / "ci" / "pipeline").write_bytes((REPOSITORY / "ci" / "pipeline").read_bytes())
    (tmp_path / "ci" / "engines").write_text(engines)
    (tmp_path / "bin").mkdir()
    docker = tmp_path / "bin" / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    calls = tmp_path / "calls"
    environ = {"PATH": f"{docker.parent}:{os.environ['PATH']}", "CALLS": str(calls), "CUSTCTL_TAG": "t"}
    environ |= {"MADE": made, "THERE": there, "DOCKER_HOST": "tcp://production"}
    done = subprocess.run(
        ["sh", "ci/pipeline", step], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stderr, calls.read_text() if calls.exists() else ""


@pytest.mark.parametrize("step", ["gate", "deploy", "rollback-check"])
@pytest.mark.parametrize(
    ("engines", "told"),
    [("# prod ENGINE\n", "names no engine for prod"), ("prod OTHER\n", "is ENGINE; prod is on OTHER")],
)
def test_nothing_is_done_to_an_engine_that_is_not_the_environments(
    tmp_path: Path, step: str, engines: str, told: str
) -> None:
    code, err, calls = pipeline(tmp_path, engines, step)
    assert (code, calls) == (1, "")
    assert told in err
    assert "hint: " in err


def test_the_environments_own_engine_is_deployed_to(tmp_path: Path) -> None:
    _, err, calls = pipeline(tmp_path, "prod ENGINE\n", "deploy")
    assert "error: " not in err
    assert calls


@pytest.mark.parametrize("step", ["gate", "deploy"])
@pytest.mark.parametrize(
    ("made", "there", "is_shipped"), [("1", "", True), ("1", "1", False), ("2", "1", True), ("", "1", False)]
)
def test_the_image_that_was_built_is_the_one_that_runs(
    tmp_path: Path, step: str, made: str, there: str, is_shipped: bool
) -> None:
    _, _, calls = pipeline(tmp_path, "prod ENGINE\n", step, made=made, there=there)
    assert ("save custctl:t" in calls) is is_shipped


def test_an_image_must_have_been_built(tmp_path: Path) -> None:
    code, err, calls = pipeline(tmp_path, "prod ENGINE\n", "gate", made="", there="")
    assert (code, calls) == (1, "")
    assert "there is no image custctl:t" in err


def test_an_unknown_step_lists_the_steps(tmp_path: Path) -> None:
    code, err, _ = pipeline(tmp_path, "", "publish")
    assert code == 2
    assert "|".join(STEPS) in err


@pytest.mark.parametrize(
    "name", ["Jenkinsfile", ".teamcity/settings.kts", ".github/workflows/pipeline.yml", ".gitlab-ci.yml"]
)
def test_every_servers_file_calls_every_step(name: str) -> None:
    text = (REPOSITORY / name).read_text()
    for step in STEPS:
        assert f"ci/pipeline {step}" in text or f'"{step}"' in text, step


def compose(name: str) -> Any:
    return yaml.safe_load((REPOSITORY / name).read_text())


def test_production_has_no_seed_and_waits_for_the_migration() -> None:
    services = compose("compose.yaml")["services"]
    assert set(services) == {"migrate", "tools"}
    assert services["tools"]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    for service in services.values():
        assert service["read_only"]
        assert service["environment"]["CUSTCTL_DB_PASSWORD_FILE"].startswith("/run/secrets/")
        assert not [name for name in service["environment"] if name.endswith("PASSWORD")]
    assert set(compose("compose.test.yaml")["services"]) == {"postgresql", "valkey", "migrate", "seed", "tools"}
