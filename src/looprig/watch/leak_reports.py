"""Descriptions of leaks: what was left, where it was started, where it waits, whose it is, and how to fix it.

Does not find any (`leak_search` does).
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from looprig.declare.watchdogs import Leak
from looprig.exceptions import LeakError
from looprig.location import UNKNOWN, Location, location_of
from looprig.runtime.stacks import frames_of, is_of_suite
from looprig.runtime.tasks import Party, origin_of, party_of
from looprig.watch.descriptions import Finding

__all__ = ["Left", "LeftOpen", "finding_of", "finding_of_open"]

_SHOWN: Final = 5
"""Maximum number of things of one kind to describe."""


class Left(NamedTuple):
    """Something that was left: a task, a server, a transport, a thread, the number of a process, ..."""

    kind: Leak
    thing: Any
    owner: object = None


class LeftOpen(NamedTuple):
    """A stream or websocket that a test did not close, and the line that opened it."""

    name: str
    at: Location


class _Words(NamedTuple):
    one: str
    many: str
    state: str
    fix: str


_WORDS: Final[Mapping[Leak, _Words]] = {
    "tasks": _Words(
        "The task",
        "tasks",
        "still running",
        "Await the task, or cancel it and await it. If it should outlive the test, start it in a wider fixture.",
    ),
    "listeners": _Words("The server", "servers", "still listening", "Close it, or use it in `async with`."),
    "transports": _Words("The connection", "connections", "still open", "Close it where it is opened."),
    "subprocesses": _Words("The process", "processes", "still running", "End it, and wait for it."),
    "threads": _Words("The thread", "threads", "still running", "Let it end, and join it, or shut its executor down."),
    "generators": _Words(
        "The async generator", "async generators", "still suspended", "Use it in `async with aclosing(...)`."
    ),
    "descriptors": _Words("The file descriptor", "file descriptors", "still open", "Close the file or socket."),
}


def finding_of(kind: Leak, left: Sequence[Left], ended: Party | None) -> Finding:
    """Return the finding for what was left when a test or fixture ended. All are of one kind."""
    one, many, state, fix = _WORDS[kind]
    when = "its loop was closed" if ended is None else f"{ended[0]} ended"
    shown = [_DESCRIBED[kind](each.thing) for each in left[:_SHOWN]]
    if len(left) == 1:
        what = f"{one} {shown[0][0]} was {state} when {when}."
    else:
        names = ", ".join(name for name, _ in shown)
        more = "" if len(left) <= _SHOWN else f", and {len(left) - _SHOWN} more"
        what = f"{len(left)} {many} were {state} when {when}: {names}{more}."
    owners = [party_of(each.owner) for each in left]
    parties = [
        party for party in (*(line for _, lines in shown for line in lines), *owners, ended) if party is not None
    ]
    allow = f'If it is expected, allow it: @looprig.watchdogs({kind}="off").'
    return Finding(kind, LeakError(what, list(dict.fromkeys(parties)), f"{fix} {allow}"))


def finding_of_open(left: Sequence[LeftOpen], ended: Party) -> Finding:
    """Return the finding for the streams and websockets that a test has left open."""
    names = " and ".join(dict.fromkeys(each.name for each in left[:_SHOWN]))
    more = "" if len(left) <= _SHOWN else f" and {len(left) - _SHOWN} more"
    parties = [(f"{each.name} was opened here", each.at) for each in left[:_SHOWN]]
    return Finding(
        "transports",
        LeakError(
            f"{names}{more} {'was' if len(left) == 1 else 'were'} still open when {ended[0]} ended.",
            list(dict.fromkeys([*parties, ended])),
            "Leave its block: use it in `async with`, or close the AsyncExitStack that entered it. If it is expected, "
            'allow it: @looprig.watchdogs(transports="off").',
        ),
    )


_Described = tuple[str, list[Party]]
"""A name, and the lines that matter."""


def _task(task: "asyncio.Task[Any]") -> _Described:
    coroutine = task.get_coro()
    name = getattr(coroutine, "__qualname__", task.get_name())
    started = [(f"{name} was started here", at) for at in origin_of(task) if is_of_suite(at.path)]
    frames = [*frames_of(task)]
    waits = [frame.at for frame in frames if is_of_suite(frame.path)] or [frame.at for frame in frames]
    return name, [*_place(name, coroutine), *started[:1], *((f"{name} waits here", at) for at in waits[-1:])]


def _place(name: str, code: object) -> list[Party]:
    at = location_of(code)
    return [(name, at)] if at != UNKNOWN and is_of_suite(at.path) else []


def _server(server: Any) -> _Described:
    sockets: Any = getattr(server, "sockets", (server,))
    factory = getattr(server, "_protocol_factory", None)
    return f"on {' and '.join(_address(each.getsockname()) for each in sockets)}", _place("its protocol", factory)


def _address(name: Any) -> str:
    if type(name) is tuple:
        return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"
    return str(name or "a socket")


def _transport(thing: Any) -> _Described:
    if isinstance(thing, asyncio.Handle):
        callback: Any = thing._callback  # type: ignore[attr-defined]  # noqa: SLF001 - asyncio's, without a public name
        name = getattr(callback, "__qualname__", repr(callback))
        return f"that {name} waits for", _place(name, callback)
    protocol = thing.get_protocol()
    over_tls = getattr(protocol, "_app_protocol", None)
    kind = type(protocol if over_tls is None else over_tls).__qualname__
    peer = thing.get_extra_info("peername") or thing.get_extra_info("sockname")
    if peer is None and (pipe := thing.get_extra_info("pipe")) is not None:
        return f"through the pipe {pipe!r} ({kind})", []
    return f"to {_address(peer)} ({kind})", []


def _process(pid: str) -> _Described:
    words = ""
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace").replace("\0", " ").strip()
    return f"{pid} ({words[:80]})", []


def _thread(thread: Any) -> _Described:
    target = getattr(thread, "_target", None)
    return thread.name, _place(f"{thread.name} runs this", target)


def _generator(generator: Any) -> _Described:
    name, code, frame = generator.__qualname__, generator.ag_code, generator.ag_frame
    return name, [
        (name, Location(code.co_filename, code.co_firstlineno)),
        (f"{name} is suspended here", Location(code.co_filename, frame.f_lineno)),
    ]


def _descriptor(thing: tuple[str, str]) -> _Described:
    number, target = thing
    return f"{number} ({target})", []


_DESCRIBED: Final[Mapping[Leak, Callable[[Any], _Described]]] = {
    "tasks": _task,
    "listeners": _server,
    "transports": _transport,
    "subprocesses": _process,
    "threads": _thread,
    "generators": _generator,
    "descriptors": _descriptor,
}
