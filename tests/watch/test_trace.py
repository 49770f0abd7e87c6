"""Events in the Trace Event format: what is in the file, and when."""

import io
import json
from typing import Any

from looprig.watch.trace import Trace


class File(io.StringIO):
    """A file that can still be read after it was closed."""

    text = ""

    def close(self) -> None:
        self.text = self.getvalue()
        super().close()


def test_a_closed_file_is_an_array_of_events() -> None:
    file = File()
    trace = Trace(file, 7, "gw0")
    tests = trace.track("tests")
    trace.span(tests, "phase", "call", 1.5, 1.75, id="test_it")
    trace.instant(tests, "failure", "test_it failed", 1.6)
    trace.close(2)
    trace.close(3)
    assert json.loads(file.text) == [
        {"ph": "M", "name": "process_name", "pid": 7, "tid": 0, "args": {"name": "gw0"}},
        {"ph": "M", "name": "thread_name", "pid": 7, "tid": 1, "args": {"name": "tests"}},
        {"ph": "M", "name": "thread_sort_index", "pid": 7, "tid": 1, "args": {"sort_index": 1}},
        {
            "ph": "X",
            "cat": "phase",
            "name": "call",
            "pid": 7,
            "tid": 1,
            "ts": 1_500_000,
            "dur": 250_000,
            "args": {"id": "test_it"},
        },
        {
            "ph": "i",
            "cat": "failure",
            "name": "test_it failed",
            "pid": 7,
            "tid": 1,
            "ts": 1_600_000,
            "args": {},
            "s": "t",
        },
    ]


def lives(text: str) -> list[tuple[Any, ...]]:
    events = [event for event in json.loads(text) if event["ph"] in "be"]
    return [(event["ph"], event["name"], event["id2"]["local"], event["ts"]) for event in events]


def test_lives_may_overlap_and_all_end() -> None:
    file = File()
    trace = Trace(file, 7, "gw0")
    tests = trace.track("tests")
    first = trace.begin(tests, "fixture", "db", 1)
    trace.begin(tests, "fixture", "db", 2)
    trace.end(first, 3)
    trace.end(first, 4)
    trace.close(5)
    assert lives(file.text) == [
        ("b", "fixture db", "0x1", 1_000_000),
        ("b", "fixture db", "0x2", 2_000_000),
        ("e", "fixture db", "0x1", 3_000_000),
        ("e", "fixture db", "0x2", 5_000_000),
    ]


def test_what_was_flushed_needs_only_a_bracket() -> None:
    """So viewers read the file of a run that was killed."""
    file = io.StringIO()
    trace = Trace(file, 7, "gw0")
    assert len(json.loads(f"{file.getvalue()}]")) == 1
    trace.track("tests")
    assert len(json.loads(f"{file.getvalue()}]")) == 1
    trace.flush()
    assert len(json.loads(f"{file.getvalue()}]")) == 3


def test_the_part_of_a_killed_process_is_completed() -> None:
    part = io.StringIO()
    of_worker = Trace(part, 8, "gw1")
    track = of_worker.track("tests")
    of_worker.begin(track, "fixture", "db", 1)
    of_worker.end(of_worker.begin(track, "fixture", "user", 2), 3)
    of_worker.flush()
    file = File()
    trace = Trace(file, 7, "pytest")
    trace.add_part([*part.getvalue().splitlines(keepends=True), ',\n{"ph":"X","ca'])
    trace.close(9)
    assert [event["pid"] for event in json.loads(file.text)] == [7, *[8] * 7]
    assert lives(file.text)[-1] == ("e", "fixture db", "0x1", 3_000_000)


def test_what_comes_after_the_end_is_dropped() -> None:
    file = File()
    trace = Trace(file, 7, "gw0")
    trace.close(1)
    trace.span(trace.track("tests"), "phase", "teardown", 1, 2)
    assert len(json.loads(file.text)) == 1
