"""Try the pipeline for real: `make pipeline`.

It needs root on Debian 12 or newer, and exits with 77 where it cannot run. All that it starts lives in a process and a
mount namespace of its own: when its first process ends, however it ends, nothing is left running or mounted.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.pipeline.machine import CANNOT_RUN

_TOOLS = ("apt-get", "dpkg-deb", "git", "ip", "mount", "nsenter", "perl", "setpriv", "unshare")
_INSIDE = "CUSTCTL_PIPELINE_FOLDER"


def reason_against() -> str | None:
    """Return why this machine cannot run it; None if it can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "it needs root on Linux, as it starts Docker engines"
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        return f"it needs {', '.join(missing)}"
    if not Path("/usr/share/keyrings/debian-archive-keyring.gpg").exists():
        return "it needs Debian, whose packages it takes"
    tried = subprocess.run(
        ["unshare", "--mount", "--pid", "--net", "--fork", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
        capture_output=True,
        text=True,
        check=False,
    )
    return f"it needs namespaces and mounts: {tried.stderr.strip()}" if tried.returncode else None


def main() -> int:
    """Run it in namespaces of its own, and return the exit code."""
    reason = reason_against()
    if reason is not None:
        print(f"pipeline: not run: {reason}")
        return CANNOT_RUN
    folder = Path(tempfile.mkdtemp(prefix="custctl-pipeline-"))
    groups = f"custctl-pipeline-{os.getpid()}"
    # `unshare` itself ignores what would end it. SIGKILL ends its namespaces, and comes also if this process is killed.
    process = subprocess.Popen(
        [
            *("setpriv", "--pdeathsig", "KILL"),
            *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
            *(sys.executable, "-m", "tests.pipeline"),
        ],
        env={**os.environ, _INSIDE: f"{folder}:{groups}"},
        stdin=subprocess.DEVNULL,
    )
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda *_: process.kill())
    code = process.wait()
    folder.rmdir()
    for root in Path("/sys/fs/cgroup").glob(f"**/{groups}"):
        _remove(root)
    return 1 if code < 0 else code


def _remove(root: Path) -> None:
    """Remove a control group and those in it, once the killed processes have left them."""
    until = time.monotonic() + 10
    for group, _, _ in os.walk(root, topdown=False):
        while True:
            try:
                os.rmdir(group)
                break
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)


if __name__ == "__main__":
    inside = os.environ.pop(_INSIDE, None)
    if inside is None:
        sys.exit(main())
    from tests.pipeline.deployments import run

    run(Path(inside.partition(":")[0]), inside.partition(":")[2])
