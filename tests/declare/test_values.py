"""Wrong values are refused where they are written: for every constructor, decorator and field that takes one."""

import asyncio
import signal
import socket
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import inf, nan
from typing import Any, Final, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from looprig import (
    AiohttpService,
    AsgiService,
    Context,
    DatagramProxy,
    DeclarationError,
    Entrypoint,
    Fixture,
    Key,
    ProcessService,
    TcpProxy,
    TcpService,
    Through,
    loop_config,
    rig,
    service_fixture,
    timeout,
)
from looprig import toxics as tcp
from looprig.declare import values
from looprig.declare.values import shown
from looprig.net.ports import PortFactory, WildcardPortFactory, hold_port, listening_socket
from looprig.toxics import udp

Wrong: TypeAlias = tuple[object, ...]

HUGE: Final[int] = 10**400
DIGITS: Final[int] = 10**5000  # too many for a repr
NO_NUMBER: Wrong = (None, "1", b"1", True, nan, inf, -inf, HUGE, DIGITS, [], object())
NO_SECONDS: Wrong = (*NO_NUMBER, -1, -0.5)
NO_DURATION: Wrong = (*NO_SECONDS, 0, 0.0)
NO_COUNT: Wrong = (*NO_SECONDS, 1.0, 1.5)
NO_PROBABILITY: Wrong = (*NO_SECONDS, 1.01, 2)
NO_TEXT: Wrong = (None, 5, b"x", "", True, object())
NO_FLAG: Wrong = (None, 0, 1, "yes", b"", [])
NO_FUNCTION: Wrong = (-1, "x", b"x", True, nan)
NO_TLS: Wrong = (True, "x", 5)


def but_none(wrong: Wrong) -> Wrong:
    """Return values without `None`, which the field takes."""
    return tuple(value for value in wrong if value is not None)


class Asgi(AsgiService):
    """An ASGI service."""

    async def create_app(self) -> Any: ...


class Aiohttp(AiohttpService):
    """An aiohttp service."""

    async def create_app(self) -> Any: ...


class Tcp(TcpService):
    """A TCP service."""

    async def handle(self, reader: StreamReader, writer: StreamWriter) -> None: ...


class Process(ProcessService):
    """A process."""

    def command(self) -> list[str]:
        return ["true"]


async def later(_: object) -> bool:
    return True


def proxy(**options: Any) -> TcpProxy:
    return TcpProxy(options.pop("upstream", ("127.0.0.1", 1)), **options)


def datagrams(**options: Any) -> DatagramProxy:
    return DatagramProxy(options.pop("upstream", ("127.0.0.1", 1)), **options)


def service(**options: Any) -> type:
    """Declare a service with some options."""

    @dataclass(kw_only=True)
    class Life:
        async def start(self) -> None: ...
        async def stop(self) -> None: ...

    return service_fixture(**options)(Life)


NO_ADDRESS: Wrong = (
    *NO_TEXT,
    (),
    ("127.0.0.1",),
    ("127.0.0.1", "1"),
    (b"x", 1),
    ("", 1),
    ("x", 0),
    ("x", 65536),
    ("x", nan),
)
TABLE: Final[dict[Callable[..., object], dict[str, Wrong]]] = {
    tcp.Latency: {"delay": NO_SECONDS},
    tcp.Bandwidth: {"rate": NO_DURATION},
    tcp.Slice: {"size": (*NO_COUNT, 0)},
    tcp.Limit: {"bytes": NO_COUNT},
    tcp.HalfClose: {"after_bytes": NO_COUNT},
    tcp.SlowClose: {"delay": NO_SECONDS},
    tcp.Corrupt: {"bit_rate": NO_PROBABILITY},
    tcp.Transform: {"fn": (None, *NO_FUNCTION)},
    tcp.Reset: {"after_bytes": but_none(NO_COUNT), "after": but_none(NO_SECONDS)},
    tcp.Stall: {
        "direction": (None, "up", b"both", 5, []),
        "probability": NO_PROBABILITY,
        "when": (*NO_FUNCTION, later),
        "first": but_none(NO_COUNT),
        "name": (None, 5, b"x", object()),
    },
    udp.Latency: {"delay": NO_SECONDS},
    udp.Loss: {"rate": NO_PROBABILITY},
    udp.Duplication: {"rate": NO_PROBABILITY},
    udp.Corrupt: {"bit_rate": NO_PROBABILITY},
    tcp.Send: {"data": (None, "x", 5, [])},
    tcp.End: {"after": NO_SECONDS},
    tcp.Abort: {"after": but_none(NO_SECONDS)},
    tcp.Pause: {"seconds": tuple(value for value in NO_SECONDS if value != inf)},
    tcp.Await: {"result": (None, 5, b"x", later)},
    tcp.Note: {"text": (None, 5, b"x")},
    proxy: {
        "upstream": NO_ADDRESS,
        "host": NO_TEXT,
        "seed": (*but_none(NO_NUMBER), 1.5),
        "toxics": (None, 5, "x", b"x", {}, tcp.Stall(), (5,), [tcp.Stall], (udp.Loss(0.5),)),
        "listen_path": but_none(NO_TEXT),
        "window": (*NO_COUNT, 0),
        "connect_timeout": NO_DURATION,
        "terminate_tls": NO_FLAG,
        "upstream_tls": NO_TLS,
    },
    datagrams: {
        "upstream": (*NO_ADDRESS, "/run/it.sock"),
        "toxics": (None, (tcp.Stall(),)),
        "idle_timeout": tuple(value for value in NO_DURATION if value != inf),
    },
    Aiohttp: {
        "host": NO_TEXT,
        "tls": NO_TLS,
        "client_tls": NO_TLS,
        "shutdown_timeout": NO_SECONDS,
        "handler_cancellation": NO_FLAG,
    },
    Asgi: {"shutdown_timeout": NO_SECONDS, "lifespan": (None, "yes", b"on", True), "host": NO_TEXT},
    Tcp: {"host": NO_TEXT, "tls": NO_TLS, "shutdown_timeout": NO_SECONDS},
    Process: {
        "host": NO_TEXT,
        "cwd": (5, b"/tmp", "", True),
        "stop_signal": (None, 0, -1, 15.0, True, "SIGTERM", HUGE),
        "stop_timeout": NO_SECONDS,
        "holds_port": NO_FLAG,
    },
    timeout: {"seconds": NO_DURATION},
    loop_config: {
        "factory": NO_FUNCTION,
        "executor": NO_FUNCTION,
        "debug": but_none(NO_FLAG),
        "timeout": but_none(NO_DURATION),
        "scope": (None, 5, b"module", nan, []),
        "factories": (5, "x", {}, {"": print}, {None: print}, {"x": None}),
    },
    service: {
        "start_timeout": NO_DURATION,
        "autouse": NO_FLAG,
        "name": (5, b"x", "", True),
        "scope": (None, 5),
    },
    Fixture: {"name": NO_TEXT},
    Through: {"proxy": (5, "x", int, Tcp)},
    Key: {"name": NO_TEXT},
    Context: {"values": (5, "x", [], {5: 1}, {None: 1})},
    hold_port: {"host": but_none(NO_TEXT), "kind": (None, 0, 1.0, socket.SOCK_RAW, "tcp")},
    listening_socket: {"host": but_none(NO_TEXT)},
    PortFactory: {"host": but_none(NO_TEXT), "kind": (5, None)},
    WildcardPortFactory: {"host": but_none(NO_TEXT)},
    Entrypoint: {
        "start_timeout": NO_DURATION,
        "context": (5, "x", {5: 1}),
        "options": (5, "x", {5: 1}),
    },
}


POSITIONAL: Final[tuple[tuple[str, Callable[[Any], object], Wrong], ...]] = (
    ("tcp.Latency(1, jitter)", lambda jitter: tcp.Latency(1, jitter), NO_SECONDS),
    ("tcp.Slice(1, variation)", lambda variation: tcp.Slice(1, variation), NO_COUNT),
    ("tcp.Slice(1, delay=delay)", lambda delay: tcp.Slice(1, delay=delay), NO_SECONDS),
    ("udp.Reordering(rate, 1)", lambda rate: udp.Reordering(rate, 1), NO_PROBABILITY),
    ("udp.Reordering(0.5, delay)", lambda delay: udp.Reordering(0.5, delay), NO_SECONDS),
    ("tcp.Send(b, after)", lambda after: tcp.Send(b"", after), NO_SECONDS),
    ("timeout(1)(test)", timeout(1), (3, None, "x")),
    ("Context().set(key, 1)", lambda key: Context().set(key, 1), (5, None, b"x")),
)


def cases() -> list[Any]:
    """Return each way to write a wrong value."""
    by_name = [
        (f"{make.__module__.removeprefix('looprig.')} {make.__name__}({name})", partial(_with, make, name), wrong)
        for make, fields in TABLE.items()
        for name, wrong in fields.items()
    ]
    return [
        pytest.param(make, value, id=f"{label}={shown(value)[:20]}")
        for label, make, wrong in (*by_name, *POSITIONAL)
        for value in wrong
    ]


def _with(make: Callable[..., object], name: str, value: object) -> None:
    make(**{name: value})


@pytest.mark.parametrize(("make", "value"), cases())
def test_a_wrong_value_is_refused_where_it_is_written(make: Callable[[object], object], value: object) -> None:
    with pytest.raises(DeclarationError) as caught:
        make(value)
    assert any(location.path == __file__ for _, location in caught.value.parties)
    assert len(str(caught.value)) < 800


def test_values_at_the_edge_are_accepted() -> None:
    tcp.Latency(0, jitter=1)
    tcp.Reset(after_bytes=0, after=0.5, first=0, name="")
    tcp.Transform(bytes.upper, when=lambda connection: connection.index > 0)
    tcp.Send(b"x", 1)
    tcp.Pause(inf)
    proxy(upstream="/run/it.sock", toxics=[tcp.Stall()], seed=-5, connect_timeout=1)
    proxy(upstream_tls=ssl.create_default_context())
    Process(stop_signal=signal.SIGINT, cwd="/", stop_timeout=0)
    Asgi(shutdown_timeout=0, lifespan="off")
    Through()
    Context({Key[int]("x"): 1})


def test_a_wrong_default_is_refused_where_the_class_is_declared() -> None:
    with pytest.raises(DeclarationError, match="Slow was given shutdown_timeout=None"):

        @service_fixture
        @dataclass(kw_only=True)
        class Slow(Tcp):
            shutdown_timeout: float = None  # type: ignore[assignment]


@service_fixture
@dataclass(kw_only=True)
class Careless(Tcp):
    """A service whose own `__post_init__` doesn't call the one that checks."""

    def __post_init__(self, *_: object) -> None: ...


async def start_careless() -> None:
    async with rig(Careless, shutdown_timeout=nan):
        raise AssertionError


def test_a_subclass_that_does_not_pass_on_post_init_is_checked_when_it_starts() -> None:
    with pytest.raises(DeclarationError, match="Careless was given shutdown_timeout=nan"):
        asyncio.run(start_careless())


@given(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(),
        st.binary(),
        st.lists(st.integers(), max_size=2),
    )
)
def test_no_check_raises_and_what_passes_is_of_its_kind(value: Any) -> None:
    checks = [check for check in vars(values).values() if isinstance(check, values.Check)]
    assert len(checks) > 10
    assert {check.accepts(value) for check in checks} <= {True, False}
    assert not values.SECONDS.accepts(value) or (isinstance(value, int | float) and 0 <= value < inf)
    assert not values.COUNT.accepts(value) or type(value) is int
    assert len(shown(value)) <= 80


class Bad:
    """An object that cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError


def test_a_message_shows_any_value_in_short() -> None:
    assert shown(Bad()) == "<Bad>"
    assert shown(DIGITS) == "<int>"
    assert shown(int) == "int"
    assert shown("x" * 90) == "'" + "x" * 76 + "..."
