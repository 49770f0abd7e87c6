"""Typed async testing for pytest, in which the loop of a test and the loops of its fixtures are always the same.

This is the public face: names handed on, nothing defined. What needs asyncio or aiohttp is loaded when its name is
first touched, and seen by type checkers all the same.

    >>> from looprig import service_fixture, TestClient, AiohttpService
"""

from typing import TYPE_CHECKING, Any

from looprig._version import __version__ as __version__
from looprig.declare.fields import Fixture as Fixture
from looprig.declare.fields import Through as Through
from looprig.declare.lifecycle import EntersItself as EntersItself
from looprig.declare.lifecycle import Runs as Runs
from looprig.declare.lifecycle import StartsAndStops as StartsAndStops
from looprig.declare.loop_config import LoopConfig as LoopConfig
from looprig.declare.loop_config import loop_config as loop_config
from looprig.declare.proxy import proxy_fixture as proxy_fixture
from looprig.declare.service import service_fixture as service_fixture
from looprig.exceptions import AskError as AskError
from looprig.exceptions import DeclarationError as DeclarationError
from looprig.exceptions import ExtraMissingError as ExtraMissingError
from looprig.exceptions import FixtureCrashedError as FixtureCrashedError
from looprig.exceptions import FixtureError as FixtureError
from looprig.exceptions import LoopExceptionsError as LoopExceptionsError
from looprig.exceptions import LoopPlanError as LoopPlanError
from looprig.exceptions import LooprigError as LooprigError
from looprig.exceptions import ProxyError as ProxyError
from looprig.exceptions import ServiceStartError as ServiceStartError
from looprig.exceptions import StuckTaskError as StuckTaskError
from looprig.exceptions import TimeoutExpiredError as TimeoutExpiredError
from looprig.exceptions import UnexpectedResponseError as UnexpectedResponseError
from looprig.location import Location as Location

if TYPE_CHECKING:
    from looprig.http.client import TestClient as TestClient
    from looprig.http.response import Response as Response
    from looprig.net.datagrams.corruption import Corruption as Corruption
    from looprig.net.datagrams.delay import Delay as Delay
    from looprig.net.datagrams.duplication import Duplication as Duplication
    from looprig.net.datagrams.loss import Loss as Loss
    from looprig.net.datagrams.proxy.by_hand import DatagramProxy as DatagramProxy
    from looprig.net.datagrams.proxy.controls import DatagramConnection as DatagramConnection
    from looprig.net.datagrams.reordering import Reordering as Reordering
    from looprig.net.datagrams.toxic import DatagramToxic as DatagramToxic
    from looprig.net.proxy.controls import ProxyConnection as ProxyConnection
    from looprig.net.proxy.events import ProxyEvent as ProxyEvent
    from looprig.net.proxy.fault_controls import Applied as Applied
    from looprig.net.proxy.tcp import TcpProxy as TcpProxy
    from looprig.net.toxics.bandwidth import Bandwidth as Bandwidth
    from looprig.net.toxics.corrupt import Corrupt as Corrupt
    from looprig.net.toxics.discard import Discard as Discard
    from looprig.net.toxics.effects import Abort as Abort
    from looprig.net.toxics.effects import Await as Await
    from looprig.net.toxics.effects import Close as Close
    from looprig.net.toxics.effects import Drop as Drop
    from looprig.net.toxics.effects import Effect as Effect
    from looprig.net.toxics.effects import End as End
    from looprig.net.toxics.effects import Note as Note
    from looprig.net.toxics.effects import Pause as Pause
    from looprig.net.toxics.effects import Send as Send
    from looprig.net.toxics.flow import Flow as Flow
    from looprig.net.toxics.half_close import HalfClose as HalfClose
    from looprig.net.toxics.latency import Latency as Latency
    from looprig.net.toxics.limit import Limit as Limit
    from looprig.net.toxics.reset import Reset as Reset
    from looprig.net.toxics.rule import ConnectionInfo as ConnectionInfo
    from looprig.net.toxics.slice import Slice as Slice
    from looprig.net.toxics.slow_close import SlowClose as SlowClose
    from looprig.net.toxics.stall import Stall as Stall
    from looprig.net.toxics.toxic import Toxic as Toxic
    from looprig.net.toxics.transform import Transform as Transform
    from looprig.pytest_plugin.markers import timeout as timeout
    from looprig.runtime.ask import ask as ask
    from looprig.services.aiohttp import AiohttpService as AiohttpService
    from looprig.services.asgi import AsgiApp as AsgiApp
    from looprig.services.asgi import AsgiService as AsgiService
    from looprig.services.context import Context as Context
    from looprig.services.context import Key as Key
    from looprig.services.context import current_context as current_context
    from looprig.services.entrypoint import Entrypoint as Entrypoint
    from looprig.services.process import ProcessService as ProcessService
    from looprig.services.proxy import Proxy as Proxy
    from looprig.services.rig import Rig as Rig
    from looprig.services.rig import rig as rig
    from looprig.services.tcp import TcpService as TcpService
    from looprig.services.udp_proxy import UdpProxy as UdpProxy

__all__ = [
    "Abort",
    "AiohttpService",
    "Applied",
    "AsgiApp",
    "AsgiService",
    "AskError",
    "Await",
    "Bandwidth",
    "Close",
    "ConnectionInfo",
    "Context",
    "Corrupt",
    "Corruption",
    "DatagramConnection",
    "DatagramProxy",
    "DatagramToxic",
    "DeclarationError",
    "Delay",
    "Discard",
    "Drop",
    "Duplication",
    "Effect",
    "End",
    "EntersItself",
    "Entrypoint",
    "ExtraMissingError",
    "Fixture",
    "FixtureCrashedError",
    "FixtureError",
    "Flow",
    "HalfClose",
    "Key",
    "Latency",
    "Limit",
    "Location",
    "LoopConfig",
    "LoopExceptionsError",
    "LoopPlanError",
    "LooprigError",
    "Loss",
    "Note",
    "Pause",
    "ProcessService",
    "Proxy",
    "ProxyConnection",
    "ProxyError",
    "ProxyEvent",
    "Reordering",
    "Reset",
    "Response",
    "Rig",
    "Runs",
    "Send",
    "ServiceStartError",
    "Slice",
    "SlowClose",
    "Stall",
    "StartsAndStops",
    "StuckTaskError",
    "TcpProxy",
    "TcpService",
    "TestClient",
    "Through",
    "TimeoutExpiredError",
    "Toxic",
    "Transform",
    "UdpProxy",
    "UnexpectedResponseError",
    "__version__",
    "ask",
    "current_context",
    "loop_config",
    "proxy_fixture",
    "rig",
    "service_fixture",
    "timeout",
]

_LAZY = {
    "Abort": "looprig.net.toxics.effects",
    "AiohttpService": "looprig.services.aiohttp",
    "Applied": "looprig.net.proxy.fault_controls",
    "AsgiApp": "looprig.services.asgi",
    "AsgiService": "looprig.services.asgi",
    "Await": "looprig.net.toxics.effects",
    "Bandwidth": "looprig.net.toxics.bandwidth",
    "Close": "looprig.net.toxics.effects",
    "ConnectionInfo": "looprig.net.toxics.rule",
    "Context": "looprig.services.context",
    "Corrupt": "looprig.net.toxics.corrupt",
    "Corruption": "looprig.net.datagrams.corruption",
    "DatagramConnection": "looprig.net.datagrams.proxy.controls",
    "DatagramProxy": "looprig.net.datagrams.proxy.by_hand",
    "DatagramToxic": "looprig.net.datagrams.toxic",
    "Delay": "looprig.net.datagrams.delay",
    "Discard": "looprig.net.toxics.discard",
    "Drop": "looprig.net.toxics.effects",
    "Duplication": "looprig.net.datagrams.duplication",
    "Effect": "looprig.net.toxics.effects",
    "End": "looprig.net.toxics.effects",
    "Entrypoint": "looprig.services.entrypoint",
    "Flow": "looprig.net.toxics.flow",
    "HalfClose": "looprig.net.toxics.half_close",
    "Key": "looprig.services.context",
    "Latency": "looprig.net.toxics.latency",
    "Limit": "looprig.net.toxics.limit",
    "Loss": "looprig.net.datagrams.loss",
    "Note": "looprig.net.toxics.effects",
    "Pause": "looprig.net.toxics.effects",
    "ProcessService": "looprig.services.process",
    "Proxy": "looprig.services.proxy",
    "ProxyConnection": "looprig.net.proxy.controls",
    "ProxyEvent": "looprig.net.proxy.events",
    "Reordering": "looprig.net.datagrams.reordering",
    "Reset": "looprig.net.toxics.reset",
    "Response": "looprig.http.response",
    "Rig": "looprig.services.rig",
    "Send": "looprig.net.toxics.effects",
    "Slice": "looprig.net.toxics.slice",
    "SlowClose": "looprig.net.toxics.slow_close",
    "Stall": "looprig.net.toxics.stall",
    "TcpProxy": "looprig.net.proxy.tcp",
    "TcpService": "looprig.services.tcp",
    "TestClient": "looprig.http.client",
    "Toxic": "looprig.net.toxics.toxic",
    "Transform": "looprig.net.toxics.transform",
    "UdpProxy": "looprig.services.udp_proxy",
    "ask": "looprig.runtime.ask",
    "current_context": "looprig.services.context",
    "rig": "looprig.services.rig",
    "timeout": "looprig.pytest_plugin.markers",
}


def __getattr__(name: str) -> Any:
    """Loads a heavy name when it is first touched."""
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - only with a heavy name

    value = getattr(import_module(module), name)
    _show_as_public(name, value)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


def _show_as_public(name: str, value: Any) -> None:
    """Has a name say in messages that it is from here, where users import it from."""
    if hasattr(value, "__module__") and getattr(value, "__name__", None) == name:
        value.__module__ = __name__


for _public in [name for name in __all__ if name in globals()]:
    _show_as_public(_public, globals()[_public])
