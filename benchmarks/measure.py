"""Run one child process and measure it: from inside with `loop_probe`, from outside by its resource usage.

Doesn't decide what runs or how often; `run.py` does. Invariant: a child gets none of the caller's Python or pytest
settings. In particular, with PYTHONDONTWRITEBYTECODE pytest would rewrite every test module in every run, and all
ratios would shrink towards one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Final

PROBE: Final = Path(__file__).with_name("probe")
COMMON: Final = ("-p", "loop_probe", "-p", "no:cacheprovider", "-q")


class ChildError(Exception):
    """A child exceeded its time limit and was killed, or ended without writing a result."""


@dataclass(frozen=True, slots=True)
class Child:
    """The measurements of one pytest run. Durations are seconds; `peak_kib` is the peak resident set in KiB."""

    collected: int
    passed: int
    collect_seconds: float
    collect_cpu_seconds: float
    run_seconds: float
    run_cpu_seconds: float
    collect_calls: int
    run_calls: int
    wall_seconds: float
    peak_kib: int

    def by_processor(self) -> Child:
        """Return the same run with processor time instead of wall time, for a machine with other work."""
        return replace(self, collect_seconds=self.collect_cpu_seconds, run_seconds=self.run_cpu_seconds)

    def by_calls(self) -> Child:
        """Return the same run with a microsecond for each call of a function, of Python or C."""
        return replace(self, collect_seconds=self.collect_calls / 1e6, run_seconds=self.run_calls / 1e6)


def clean_environment() -> dict[str, str]:
    ours = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PYTEST", "AIOMISC"))}
    return ours | {"PYTHONPATH": str(PROBE), "PYTHONHASHSEED": "0"}


def spawn(command: Sequence[str], cwd: Path, *, environment: dict[str, str], timeout: float) -> tuple[str, float, int]:
    """Run `command` to its end, and return its output, wall seconds and peak resident set in KiB."""
    with tempfile.TemporaryFile(mode="w+", encoding="utf-8", errors="replace") as output:
        begin = perf_counter()
        process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        late = threading.Event()

        def kill() -> None:
            late.set()
            os.killpg(process.pid, signal.SIGKILL)

        timer = threading.Timer(timeout, kill)
        timer.start()
        try:
            # Only `wait4` gives the usage of this one child; RUSAGE_CHILDREN is a maximum over all so far.
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            # It is in its own session, so Ctrl-C doesn't reach it.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        finally:
            timer.cancel()
        wall = perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
        if late.is_set():
            raise ChildError(f"{' '.join(command)}: killed after {timeout:g} s\n{text[-3000:]}")
    kib = usage.ru_maxrss // 1024 if sys.platform == "darwin" else usage.ru_maxrss
    return text, wall, kib


def run_child(
    python: Path,
    root: Path,
    arguments: Sequence[str] = (),
    *,
    record: Path | None = None,
    is_cached: bool = True,
    counts_calls: bool = False,
    timeout: float = 900,
) -> Child:
    """Run pytest in `root`, writing byte code or not. Failed tests don't raise; they are counted in `Child`.

    With `counts_calls`, its seconds mean nothing.
    """
    with tempfile.TemporaryDirectory(prefix="loop-probe-") as folder:
        out = Path(folder, "result.json")
        environment = clean_environment() | {"LOOP_PROBE_OUT": str(out)}
        if not is_cached:
            environment["PYTHONDONTWRITEBYTECODE"] = "1"
        if counts_calls:
            environment["LOOP_PROBE_CALLS"] = "1"
        if record is not None:
            environment["LIVELIB_RECORD"] = str(record)
        command = [str(python), "-m", "pytest", *COMMON, *arguments]
        text, wall, kib = spawn(command, root, environment=environment, timeout=timeout)
        if not out.exists():
            raise ChildError(f"{' '.join(command)}: no result\n{text[-3000:]}")
        return Child(**json.loads(out.read_text()), wall_seconds=wall, peak_kib=kib)


def forget_byte_code(python: Path) -> None:
    """Delete the byte code that pytest caches for plugins and tests, in the environment of `python`."""
    for cached in python.parent.parent.glob("lib/python*/site-packages/**/__pycache__/*-pytest-*.pyc"):
        cached.unlink()


def run_script(python: Path, root: Path, arguments: Sequence[str], *, timeout: float = 900) -> tuple[float, float]:
    """Run a script whose last line of output is the wall and processor seconds that it took."""
    command = [str(python), *arguments]
    wall, processor = _last_line(command, root, clean_environment(), timeout, 2)
    return wall, processor


def run_figure(command: Sequence[str], *, environment: dict[str, str], timeout: float) -> float:
    """Run a command whose last line of output is a number, and return that number."""
    (figure,) = _last_line(command, Path(), environment, timeout, 1)
    return figure


def _last_line(
    command: Sequence[str], root: Path, environment: dict[str, str], timeout: float, count: int
) -> list[float]:
    text, _, _ = spawn(command, root, environment=environment, timeout=timeout)
    try:
        figures = [float(word) for word in text.strip().splitlines()[-1].split()]
    except (IndexError, ValueError):
        figures = []
    if len(figures) != count:
        raise ChildError(f"{' '.join(command)}: no figure\n{text[-3000:]}")
    return figures
