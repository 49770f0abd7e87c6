"""The log of a proxy: what is kept and counted, and which faults of a connection it lists."""

import pytest

from looprig.net.faults.events import KEPT, EventKind, EventLog, ProxyEvent
from looprig.toxics.flow import FlowDirection


def log(*events: ProxyEvent) -> EventLog:
    made = EventLog()
    for event in events:
        made.add(event)
    return made


def event(kind: EventKind, toxic: str = "", direction: FlowDirection | None = None, connection: int = 0) -> ProxyEvent:
    return ProxyEvent(0.0, kind, connection, direction, toxic)


def test_the_oldest_are_forgotten_and_still_counted() -> None:
    made = log(*(ProxyEvent(number, "closed", number) for number in range(KEPT + 5)))
    assert made.count == KEPT + 5
    kept = list(made)
    assert (kept[0].connection, kept[-1].connection, len(kept)) == (5, KEPT + 4, KEPT)


@pytest.mark.parametrize(("before", "after", "first"), [(3, 0, None), (3, 2, 3), (0, KEPT + 7, 7), (KEPT, 4, KEPT)])
def test_what_came_since_is_told_as_far_as_it_is_kept(before: int, after: int, first: int | None) -> None:
    made = log(*(ProxyEvent(number, "closed", number) for number in range(before)))
    count = made.count
    for number in range(before, before + after):
        made.add(ProxyEvent(number, "closed", number))
    since = made.since(count)
    assert len(since) == min(after, KEPT)
    assert (since[0].connection if since else None) == first


def test_the_faults_of_a_connection_are_its_toxics_and_then_what_they_did_by_direction() -> None:
    """Events without a toxic aren't faults, and other connections' events aren't included."""
    made = log(
        event("accepted"),
        event("toxic", "B", "downstream"),
        event("fault", "B", "downstream"),
        event("toxic", "A", "upstream"),
        event("toxic", "C", "upstream", connection=1),
        event("fault", "A", "upstream"),
        event("closed"),
    )
    assert made.faults(0) == ("upstream toxic A", "downstream toxic B", "upstream fault A", "downstream fault B")
    assert made.faults(1) == ("upstream toxic C",)
    assert made.faults(2) == ()


@pytest.mark.parametrize("kind", ["reset", "disconnected"])
def test_once_a_toxic_ended_it_only_that_direction_is_told_of(kind: EventKind) -> None:
    """How far the other direction has come by then is a matter of time; which toxics it had isn't."""
    made = log(
        event("toxic", "A", "upstream"),
        event("toxic", "B", "downstream"),
        event("fault", "B", "downstream"),
        event("fault", "A", "upstream"),
        event(kind, "A", "upstream"),
    )
    assert made.faults(0) == ("upstream toxic A", "downstream toxic B", "upstream fault A", f"upstream {kind} A")


def test_a_line_says_when_of_whom_and_what() -> None:
    assert str(ProxyEvent(1.5, "ended", 3, "upstream", "", "after 4 bytes")) == (
        "   1.5000 s      #3  upstream ended after 4 bytes"
    )
    assert str(ProxyEvent(0.0, "link", None, None, "", "down")) == "   0.0000 s    link  down"
