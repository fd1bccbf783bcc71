"""Processes side by side: time, CPU and peak memory of each, as medians over interleaved rounds.

The commands of a comparison take turns (A B C, A B C, …), so that whatever else the machine does hits all of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import median

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of a process.

    Attributes:
        wall: seconds from its start to its end.
        cpu: seconds of CPU time, user and system, its own children included.
        peak: bytes of resident memory at its highest. Linux counts what the child held before it became another
            program, a copy of this process: nothing below `peak_floor()` can be told.
    """

    wall: float
    cpu: float
    peak: int


@dataclass(frozen=True, slots=True)
class Case:
    """One command of a comparison.

    Args:
        name: how the table calls it.
        argv: the program and its arguments.
        cwd: the folder to run it in.
        environ: variables besides those of this process.
        prepare: called before each run, outside the measured time.
        script: given to the process on its standard input.
        output: where its standard output goes; nowhere by default.
        target: the highest ratio that is aimed for, where there is one.
        over: the name of the case that this one is a multiple of; the first one by default.
        peak_target: the most memory, in bytes, that is aimed for, where there is such an aim.
    """

    name: str
    argv: Sequence[str | Path]
    cwd: Path | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[], object] | None = None
    script: str = ""
    output: Path = Path(os.devnull)
    target: float | None = None
    over: str | None = None
    peak_target: int | None = None


def run(case: Case) -> Sample:
    """Run a case once.

    Raises:
        SystemExit: the process failed; its last words are in the message.
    """
    if case.prepare is not None:
        case.prepare()
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as script, case.output.open("wb") as output:
        script.write(case.script.encode())
        script.seek(0)
        began = time.perf_counter()
        process = subprocess.Popen(
            [os.fspath(part) for part in case.argv],
            cwd=case.cwd,
            env={**_environ(), **case.environ},
            stdin=script,
            stdout=output,
            stderr=said,
        )
        # Not `process.wait()`: only wait4 tells what this one child used.
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            said.seek(0)
            told = said.read()[-2000:].decode(errors="replace")
            raise SystemExit(f"`{case.name}` ended with {process.returncode}:\n{told}")
    # Kilobytes on Linux, bytes on macOS.
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Sample(wall, usage.ru_utime + usage.ru_stime, peak)


def interleave(cases: Sequence[Case], *, rounds: int, warm_up: bool = True) -> dict[str, list[Sample]]:
    """Run the cases in turns.

    Args:
        rounds: how often each case runs and counts.
        warm_up: whether a first round fills the caches and does not count.
    """
    samples: dict[str, list[Sample]] = {case.name: [] for case in cases}
    for number in range(rounds + warm_up):
        _progress(f"round {number + (not warm_up)} of {rounds}")
        for case in cases:
            sample = run(case)
            if number >= warm_up:
                samples[case.name].append(sample)
    _progress("")
    return samples


def middle(samples: Sequence[Sample]) -> Sample:
    """Return the median of each figure; of the memory, the highest."""
    return Sample(
        median(sample.wall for sample in samples),
        median(sample.cpu for sample in samples),
        max(sample.peak for sample in samples),
    )


def report(title: str, cases: Sequence[Case], samples: Mapping[str, Sequence[Sample]]) -> None:
    """Print one comparison as a table of ratios."""
    middles = {name: middle(runs) for name, runs in samples.items()}
    heading = ("", "time", "ratio", "target", "", "CPU time", "ratio", "peak memory")
    has_peaks = any(case.peak_target is not None for case in cases)
    rows = [heading + (("target", "") if has_peaks else ())]
    for case in cases:
        own, base = middles[case.name], middles[case.over or cases[0].name]
        ratio = own.wall / base.wall
        is_base = own is base
        met = "" if case.target is None else "met" if ratio <= case.target else "missed"
        peaks: tuple[str, ...] = ()
        if has_peaks and case.peak_target is None:
            peaks = ("", "")
        elif case.peak_target is not None:
            peaks = (f"{case.peak_target / MIB:.0f} MiB", "met" if own.peak <= case.peak_target else "missed")
        rows.append(
            (
                case.name,
                seconds(own.wall),
                "" if is_base else f"{ratio:.2f}",
                "" if case.target is None else f"{case.target:g}",
                met,
                seconds(own.cpu),
                "" if is_base else f"{own.cpu / base.cpu:.2f}",
                memory(own.peak),
                *peaks,
            )
        )
    rounds = len(next(iter(samples.values())))
    print(f"\n{title}\n(medians of {rounds} interleaved runs; ratios to `{cases[0].name}` unless another is named)\n")
    table(rows)


def table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows under their heading, the first column to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        first, *rest = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join([row[0].ljust(len(first)), *rest]).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))


def seconds(value: float) -> str:
    """Return a time for reading."""
    return f"{value * 1000:.1f} ms" if value < 1 else f"{value:.2f} s"


def memory(peak: int) -> str:
    """Return a peak for reading."""
    return f"{peak / MIB:.0f} MiB" if peak > peak_floor() * 1.02 else f"< {peak_floor() / MIB:.0f} MiB"


@cache
def peak_floor() -> int:
    """Return the peak that is read of a process that needs next to nothing: what this process leaves in it."""
    return run(Case("true", ["true"])).peak


def _environ() -> dict[str, str]:
    """Return this process's environment without what would change how the programs behave."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CUSTCTL_", "_CUSTCTL_"))}
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "FORCE_COLOR", "DATABASE_URL"):
        kept.pop(name, None)
    return kept


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()
