"""The timeline of a run, which `--loop-trace` writes, checked event by event."""

import os
import signal
from pathlib import Path

import pytest

from looprig.pytest_plugin.watch import loop_tracks
from looprig.watch import trace
from tests.plugin.suite import output, run, run_apart, start
from tests.plugin.timelines import Event, events_in, of_kind

OPTION = "--loop-trace=timeline.json"

SUITE = """
    import asyncio
    import sys
    from collections.abc import Sequence
    from dataclasses import dataclass

    import pytest
    from looprig import ProcessService, Proxy, TcpService, service_fixture
    from looprig.toxics import Latency

    @service_fixture(scope="session")
    @dataclass(kw_only=True)
    class Worker(ProcessService):
        def command(self) -> Sequence[str]:
            return [sys.executable, "-c", "import time; time.sleep(3600)"]

    @service_fixture(scope="module")
    @dataclass(kw_only=True)
    class Echo(TcpService):
        worker: Worker
        async def handle(self, reader, writer): writer.write(await reader.readline())

    @pytest.fixture
    async def user():
        yield "Ann"
        await asyncio.sleep(0.002)

    async def test_shared(user, echo: Echo): ...

    async def test_fails(proxy: Proxy[Echo]):
        with proxy.apply(Latency(0.001)):
            reader, writer = await asyncio.open_connection(*proxy.address)
            writer.write(b"hello\\n")
            answer = await reader.readline()
            writer.close()
            await writer.wait_closed()
            assert answer == b"bye\\n"

    async def test_alone(user): ...
    def test_sync(user): ...
    def test_skipped(): pytest.skip("not now")
"""

posix = pytest.mark.skipif(os.name != "posix", reason="ProcessService needs POSIX")


def events_of(pytester: pytest.Pytester) -> list[Event]:
    return events_in(pytester.path / "timeline.json")


def names(events: list[Event]) -> list[str]:
    return [event["name"] for event in events]


def covers(outer: Event, inner: Event) -> bool:
    begin: int = inner["ts"]
    end: int = begin + inner["dur"]
    return outer["ts"] <= begin and bool(end <= outer["ts"] + outer["dur"])


@posix
def test_it_has_tests_with_their_phases_and_failures(pytester: pytest.Pytester) -> None:
    run(pytester, SUITE, OPTION).assert_outcomes(passed=3, failed=1, skipped=1)
    events = events_of(pytester)
    tests = of_kind(events, "test")
    assert [(test["args"]["id"], test["args"]["outcome"]) for test in tests] == [
        ("test_it.py::test_shared", "passed"),
        ("test_it.py::test_fails", "failed"),
        ("test_it.py::test_alone", "passed"),
        ("test_it.py::test_sync", "passed"),
        ("test_it.py::test_skipped", "skipped"),
    ]
    for test in tests:
        inside = [phase for phase in of_kind(events, "phase") if covers(test, phase)]
        assert names(inside) == ["set-up", "call", "teardown"]
    (failure,) = of_kind(events, "failure", "i")
    assert failure["name"] == "test_fails failed"
    assert failure["args"]["phase"] == "call"
    assert "b'hello\\n' == b'bye\\n'" in failure["args"]["message"]


@posix
def test_it_has_the_life_of_each_fixture_service_and_process(pytester: pytest.Pytester) -> None:
    run(pytester, SUITE, OPTION)
    events = events_of(pytester)
    assert {"service Worker", "service Echo", "service Proxy[Echo]"} <= set(names(of_kind(events, "service", "b")))
    assert [event["args"]["scope"] for event in of_kind(events, "service", "b")] == ["session", "module", "function"]
    assert names(of_kind(events, "fixture", "b")).count("fixture user") == 3
    (process,) = of_kind(events, "process", "b")
    assert process["name"] == "process Worker"
    assert process["args"]["at"].startswith("test_it.py:")
    assert process["args"]["pid"] not in {os.getpid(), 0}
    test = of_kind(events, "test")[0]
    for name in ("set-up of Worker", "set-up of Echo", "set-up of user", "teardown of user"):
        kind = "fixture" if "user" in name else "service"
        assert covers(test, next(span for span in of_kind(events, kind) if span["name"] == name))


@posix
def test_it_has_loops_with_what_they_ran(pytester: pytest.Pytester) -> None:
    run(pytester, SUITE, OPTION)
    events = events_of(pytester)
    tracks = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
    steps = [(tracks[step["tid"]], step["name"]) for step in of_kind(events, "operation")]
    assert ("session loop on the session", "the set-up of fixture Worker") in steps
    assert ("session loop on the session", "the call of test_shared") in steps
    assert ("loops of single tests", "the call of test_alone") in steps
    loops = {(tracks[loop["tid"]], loop["name"]) for loop in of_kind(events, "loop")}
    assert loops == {
        ("session loop on the session", "session loop on the session"),
        ("loops of single tests", "loop of test_alone"),
        ("loops of single tests", "loop of test_sync"),
    }


TASKS = """
    import asyncio
    async def work(): ...
    async def test_it(): await asyncio.gather(*(asyncio.create_task(work(), name=name) for name in (None, "named")))
"""


@pytest.mark.parametrize(("limit", "shown"), [(0, ["task named", "task work"]), (3600, [])])
def test_it_has_tasks_that_live_long_enough(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, limit: float, shown: list[str]
) -> None:
    monkeypatch.setattr(loop_tracks, "_SHORT", limit)
    run(pytester, TASKS, OPTION).assert_outcomes(passed=1)
    tasks = of_kind(events_of(pytester), "task", "b")
    assert sorted(names(tasks)) == shown
    assert {task["args"]["of"] for task in tasks} <= {"test_it"}


@posix
def test_it_has_the_events_of_proxies_when_they_happened(pytester: pytest.Pytester) -> None:
    run(pytester, SUITE, OPTION)
    events = events_of(pytester)
    test = next(test for test in of_kind(events, "test") if test["name"] == "test_fails")
    happened = of_kind(events, "proxy", "i")
    assert "toxic Latency: Latency(delay=0.001)" in names(happened)
    assert "connected" in names(happened)
    assert all(covers(test, {**event, "dur": 0}) for event in happened)


def test_the_number_of_tasks_is_bounded(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "_MOST", 1)
    monkeypatch.setattr(loop_tracks, "_SHORT", 0)
    run(pytester, TASKS, OPTION).assert_outcomes(passed=1)
    events = events_of(pytester)
    assert len(of_kind(events, "task", "b")) == 1
    assert names(of_kind(events, "left out", "i")) == ["1 more of the kind task"]


def test_failed_and_left_over_tasks_are_still_found(pytester: pytest.Pytester) -> None:
    suite = """
    import asyncio
    async def fail(): raise ValueError("in the background")
    async def test_fails(): asyncio.create_task(fail()); await asyncio.sleep(0)
    async def test_passes(): asyncio.create_task(asyncio.sleep(3600), name="left over"); await asyncio.sleep(0.002)
    """
    result = run(pytester, suite, OPTION)
    result.assert_outcomes(failed=1, passed=1)
    assert "A task failed, and nothing retrieved its exception: ValueError: in the background" in output(result)
    (task,) = (each for each in of_kind(events_of(pytester), "task", "b") if each["name"] == "task left over")
    assert task["args"]["was_cancelled"]


def test_a_deadlock_is_still_found(pytester: pytest.Pytester) -> None:
    """Its guard keeps the list of running operations, which the timeline replaces."""
    suite = "import asyncio\nasync def test_it(): await asyncio.Event().wait()"
    result = run_apart(pytester, suite, OPTION, "--loop-timeout=20")
    result.assert_outcomes(failed=1)
    assert "DeadlockError" in output(result)
    assert len(of_kind(events_of(pytester), "failure", "i")) == 1


@posix
def test_all_workers_are_in_one_file(pytester: pytest.Pytester) -> None:
    (pytester.path / "timeline.json.gw7").write_text("of an earlier run")
    run_apart(pytester, SUITE, OPTION, "-p", "xdist", "-n2").assert_outcomes(passed=3, failed=1, skipped=1)
    events = events_of(pytester)
    workers = {event["pid"]: event["args"]["name"] for event in events if event["name"] == "process_name"}
    tests = of_kind(events, "test")
    assert sorted(names(tests)) == ["test_alone", "test_fails", "test_shared", "test_skipped", "test_sync"]
    assert {workers[test["pid"]] for test in tests} == {"gw0", "gw1"}
    assert names(of_kind(events, "failure", "i")) == ["test_fails failed"]
    assert [path.name for path in pytester.path.glob("timeline*")] == ["timeline.json"]


@posix
def test_a_worker_that_was_killed_leaves_what_came_before(pytester: pytest.Pytester) -> None:
    suite = """
    import os, signal
    import pytest

    @pytest.fixture(scope="session")
    async def shared(): yield

    async def test_before(shared): ...
    async def test_killed(shared): os.kill(os.getpid(), signal.SIGKILL)
    async def test_after(shared): ...
    """
    run_apart(pytester, suite, OPTION, "-p", "xdist", "-n1").assert_outcomes(passed=2, failed=1)
    events = events_of(pytester)
    assert names(of_kind(events, "test")) == ["test_before", "test_after"]
    assert len(of_kind(events, "fixture", "e")) == 2


@posix
def test_the_file_of_an_interrupted_run_is_complete(pytester: pytest.Pytester) -> None:
    interrupted = """
    async def test_interrupted(worker: Worker):
        print("it waits", flush=True)
        await asyncio.sleep(3600)
    """
    process = start(pytester, SUITE + interrupted, OPTION)
    assert process.stdout is not None
    with process:
        while "it waits" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        process.stdout.read()
    assert process.returncode == pytest.ExitCode.INTERRUPTED
    events = events_of(pytester)
    assert names(of_kind(events, "test"))[-1] == "test_interrupted"
    assert len(of_kind(events, "process", "e")) == 1
    assert names(of_kind(events, "loop")).count("session loop on the session") == 1


def test_a_file_that_cannot_be_written_is_an_error_before_any_test(pytester: pytest.Pytester) -> None:
    result = run(pytester, "def test_it(): ...", "--loop-trace=missing/timeline.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    path = Path("missing", "timeline.json")
    assert f"{path}: No such file or directory." in output(result)


def test_a_run_without_it_loads_nothing_of_it(pytester: pytest.Pytester) -> None:
    conftest = """
    import sys

    def pytest_unconfigure(config):
        assert not {name for name in sys.modules if name.endswith(("watch.trace", "watch.timeline"))}
    """
    result = run_apart(pytester, {"conftest.py": conftest, "test_it.py": "async def test_it(): ..."})
    assert result.ret == 0, output(result)


def test_blocks_of_a_loop_are_shown_on_its_track(pytester: pytest.Pytester) -> None:
    suite = """
    import time
    async def test_it():
        time.sleep(0.3)
    """
    run_apart(pytester, suite, OPTION).assert_outcomes(passed=1)
    (block,) = of_kind(events_of(pytester), "blocked")
    assert block["name"] == "test_it blocks"
    assert block["args"]["at"] == "test_it.py:4"
    assert block["args"]["seconds"] > 0.2
