"""The pytest plugin that each child loads with `-p loop_probe`: two stopwatches inside pytest.

Times collection and the run-test loop as a whole, in wall time and in this process's processor time. It does so outside
the hooks of all other plugins, so it includes everything that a contender does, and does nothing per test. Start-up and
shutdown of the interpreter aren't included. The result is a JSON object in the file `LOOP_PROBE_OUT`.

With `LOOP_PROBE_CALLS`, it counts calls of functions of Python and C instead, which makes everything slow: the seconds
mean nothing then.
"""

from __future__ import annotations

import cProfile
import json
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import pytest

SECONDS = pytest.StashKey[dict[str, float]]()
CALLS = pytest.StashKey[dict[str, int]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SECONDS] = {}
    config.stash[CALLS] = {"collect_calls": 0, "run_calls": 0}


@contextmanager
def stopwatch(session: pytest.Session, what: str) -> Iterator[None]:
    profile = cProfile.Profile() if "LOOP_PROBE_CALLS" in os.environ else None
    wall, processor = perf_counter(), process_time()
    try:
        if profile is not None:
            profile.enable()
        yield
    finally:
        if profile is not None:
            profile.disable()
            session.config.stash[CALLS][f"{what}_calls"] = sum(entry.callcount for entry in profile.getstats())
        seconds = session.config.stash[SECONDS]
        seconds[f"{what}_seconds"] = perf_counter() - wall
        seconds[f"{what}_cpu_seconds"] = process_time() - processor


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Generator[None, Any, Any]:
    with stopwatch(session, "collect"):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, Any, Any]:
    with stopwatch(session, "run"):
        return (yield)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    bad = {report.nodeid for kind in ("failed", "error") for report in reporter.stats.get(kind, [])}
    good = {report.nodeid for report in reporter.stats.get("passed", []) if report.when == "call"}
    none = dict.fromkeys(("collect_seconds", "collect_cpu_seconds", "run_seconds", "run_cpu_seconds"), 0.0)
    result = {
        "collected": len(session.items) if hasattr(session, "items") else 0,
        "passed": len(good - bad),
        **(none | session.config.stash[SECONDS]),
        **session.config.stash[CALLS],
    }
    Path(os.environ["LOOP_PROBE_OUT"]).write_text(json.dumps(result), encoding="utf-8")
