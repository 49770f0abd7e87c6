"""A reader of the timelines that runs write, which checks each event."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

__all__ = ["Event", "check", "events_in", "of_kind"]

Event = dict[str, Any]


def events_in(path: Path) -> list[Event]:
    """Return the events in a file, which must be valid."""
    events: list[Event] = json.loads(path.read_text("utf-8"))
    check(events)
    return events


def of_kind(events: Iterable[Event], kind: str, phase: str = "X") -> list[Event]:
    """Return the events of one kind, in the order in which they began."""
    return sorted((e for e in events if e["ph"] == phase and e.get("cat") == kind), key=lambda event: event["ts"])


def check(events: list[Event]) -> None:
    """Check that events are as the format wants them: named tracks, spans that nest, lives that end."""
    known = {(event["pid"], event["tid"]) for event in events if event["name"] == "thread_name"}
    processes = Counter(event["pid"] for event in events if event["name"] == "process_name")
    assert set(processes.values()) <= {1}
    spans: dict[tuple[int, int], list[Event]] = defaultdict(list)
    lives: dict[tuple[int, str], list[Event]] = defaultdict(list)
    for event in events:
        assert isinstance(event["args"], dict)
        assert event["pid"] in processes
        if event["ph"] == "M":
            assert event["name"] in {"process_name", "thread_name", "thread_sort_index"}
            continue
        track = event["pid"], event["tid"]
        assert track in known, event
        assert event["cat"]
        assert event["name"]
        assert isinstance(event["ts"], int)
        if event["ph"] == "X":
            assert event["dur"] >= 0
            spans[track].append(event)
        elif event["ph"] == "i":
            assert event["s"] == "t"
        else:
            lives[event["pid"], event["id2"]["local"]].append(event)
    for each in spans.values():
        _check_nesting(each)
    for each in lives.values():
        assert [event["ph"] for event in each] == ["b", "e"], each
        begin, end = each
        assert begin["name"] == end["name"]
        assert begin["cat"] == end["cat"]
        assert begin["ts"] <= end["ts"]


def _check_nesting(spans: list[Event]) -> None:
    around: list[int] = []
    for span in sorted(spans, key=lambda event: (event["ts"], -event["dur"])):
        end = span["ts"] + span["dur"]
        while around and around[-1] <= span["ts"]:
            around.pop()
        assert not around or end <= around[-1], span
        around.append(end)
