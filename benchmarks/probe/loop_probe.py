"""The pytest plugin that each child loads with `-p loop_probe`: two stopwatches inside pytest.

It times the whole of collection and the whole of the run-test loop, outside all other plugins' hooks, so
that whatever a contender does in either is its own cost. It does nothing per test. Start-up and shutdown of
the interpreter are in neither figure. The result is one JSON object in the file `LOOP_PROBE_OUT`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from time import perf_counter
from typing import Any

import pytest

SECONDS = pytest.StashKey[dict[str, float]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SECONDS] = {}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Generator[None, Any, Any]:
    begin = perf_counter()
    try:
        return (yield)
    finally:
        session.config.stash[SECONDS]["collect"] = perf_counter() - begin


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, Any, Any]:
    begin = perf_counter()
    try:
        return (yield)
    finally:
        session.config.stash[SECONDS]["run"] = perf_counter() - begin


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    bad = {report.nodeid for kind in ("failed", "error") for report in reporter.stats.get(kind, [])}
    good = {report.nodeid for report in reporter.stats.get("passed", []) if report.when == "call"}
    seconds = session.config.stash[SECONDS]
    result = {
        "collected": len(session.items) if hasattr(session, "items") else 0,
        "passed": len(good - bad),
        "collect_seconds": seconds.get("collect", 0.0),
        "run_seconds": seconds.get("run", 0.0),
    }
    with open(os.environ["LOOP_PROBE_OUT"], "w", encoding="utf-8") as file:
        json.dump(result, file)
