"""All benchmarks, one after the other: `python -m benchmarks`."""

from __future__ import annotations

import subprocess
import sys

NAMES = (
    "startup",
    "migrations",
    "migrations_postgresql",
    "volume",
    "volume_postgresql",
    "search",
    "switchover",
    "cache",
)


def main() -> None:
    """Run each in a process of its own, so that none weighs on the next one's figures."""
    failed = [name for name in NAMES if subprocess.call([sys.executable, "-m", f"benchmarks.{name}"]) != 0]
    if failed:
        raise SystemExit(f"could not be measured: {', '.join(failed)}")


if __name__ == "__main__":
    main()
