"""Events in the Trace Event format, which Perfetto, chrome://tracing and speedscope show.

Only writes events. `looprig.pytest_plugin.watch.timeline` observes the run. Times are in seconds, on a clock that all
processes share.

Invariants:
1. A file that was closed is valid JSON: an array of events, one in each line. Viewers also read one that was not.
2. Each life has its end when its trace is closed, and when it is added to another trace.
3. Spans of one track nest. What may overlap others, such as a fixture, is a life.
4. Events are kept in memory until `flush`, so a forked child can't write any of them a second time.

Source: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
"""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final, TextIO, final

__all__ = ["Trace"]

_MOST: Final = 10_000
"""Maximum number of events of a kind for which `has_room` is asked."""

_Event = dict[str, Any]


@final
class Trace:
    """The events of one process, with the id `pid`. `name` is shown for the process."""

    def __init__(self, file: TextIO, pid: int, name: str) -> None:
        self._counts: Counter[str] = Counter()
        self._file = file
        self._ids = 0
        self._lives: dict[int, _Event] = {}
        self._pid = pid
        self._tracks = 0
        self._lines = ["[\n", _line(self._metadata("process_name", 0, name=name))]
        self.flush()

    # Tracks

    def track(self, name: str) -> int:
        """Add a track, below the others, and return its number."""
        self._tracks += 1
        self._add(self._metadata("thread_name", self._tracks, name=name))
        self._add(self._metadata("thread_sort_index", self._tracks, sort_index=self._tracks))
        return self._tracks

    def _metadata(self, kind: str, track: int, **args: object) -> _Event:
        return {"ph": "M", "name": kind, "pid": self._pid, "tid": track, "args": args}

    # Events. `args` are shown when one is selected.

    def span(self, track: int, kind: str, name: str, began: float, ended: float, /, **args: object) -> None:
        """Add what happened on a track from `began` to `ended`."""
        event = self._event("X", track, kind, name, at=began, args=args)
        self._add({**event, "dur": _microseconds(ended) - event["ts"]})

    def instant(self, track: int, kind: str, name: str, at: float, /, **args: object) -> None:
        """Add what happened on a track at one moment."""
        self._add({**self._event("i", track, kind, name, at=at, args=args), "s": "t"})

    def begin(self, track: int, kind: str, name: str, at: float, /, **args: object) -> int:
        """Begin a life, and return its number. Viewers show the lives of one kind and name in a row of their own."""
        self._ids += 1
        event = {**self._event("b", track, kind, f"{kind} {name}", at=at, args=args), "id2": {"local": hex(self._ids)}}
        self._add(event)
        self._lives[self._ids] = event
        return self._ids

    def end(self, life: int, at: float) -> None:
        """End the life with this number. Do nothing if it has ended."""
        event = self._lives.pop(life, None)
        if event is not None:
            self._add(_end(event, _microseconds(at)))

    def _event(self, phase: str, track: int, kind: str, name: str, *, at: float, args: _Event) -> _Event:
        return {
            "ph": phase,
            "cat": kind,
            "name": name,
            "pid": self._pid,
            "tid": track,
            "ts": _microseconds(at),
            "args": args,
        }

    def has_room(self, kind: str) -> bool:
        """Return whether one more event of a kind may be added. Events that may not are counted."""
        self._counts[kind] += 1
        return self._counts[kind] <= _MOST

    # Writing

    def _add(self, event: _Event) -> None:
        if not self._file.closed:
            self._lines.append(f",\n{_line(event)}")

    def add_part(self, lines: Iterable[str]) -> None:
        """Add the trace of another process. If that was killed, the last event may be cut off, and lives be open."""
        lives: dict[str, _Event] = {}
        last = 0
        for line in lines:
            try:
                event = json.loads(line.strip(",\n"))
            except ValueError:  # a bracket, or an event that was cut off
                continue
            self._add(event)
            last = max(last, event.get("ts", 0))
            if event["ph"] == "b":
                lives[event["id2"]["local"]] = event
            elif event["ph"] == "e":
                del lives[event["id2"]["local"]]
        for event in lives.values():
            self._add(_end(event, last))

    def flush(self) -> None:
        """Write the events so far to the file."""
        if self._file.closed:
            return
        self._file.write("".join(self._lines))
        self._file.flush()
        self._lines.clear()

    def close(self, at: float) -> None:
        """End all lives, and close the file. Safe to call twice."""
        if self._file.closed:
            return
        for event in self._lives.values():
            self._add(_end(event, _microseconds(at)))
        for kind, count in self._counts.items():
            if count > _MOST:
                self.instant(self.track("left out"), "left out", f"{count - _MOST} more of the kind {kind}", at)
        self._lines.append("\n]\n")
        self.flush()
        self._file.close()


def _end(event: _Event, at: int) -> _Event:
    return {**event, "ph": "e", "ts": at, "args": {}}


def _line(event: _Event) -> str:
    return json.dumps(event, separators=(",", ":"))


def _microseconds(seconds: float) -> int:
    return int(seconds * 1e6)
