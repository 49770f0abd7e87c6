"""Typed async testing for pytest, in which the loop of a test and the loops of its fixtures are always the same.

The public API: this re-exports the names that most suites use. Toxics are in `looprig.toxics`, the types that a client
returns in `looprig.http`, and those that a proxy returns in `looprig.net`.

    >>> from looprig import service_fixture, TestClient, AiohttpService

Invariant: importing `looprig` loads no other module of it; each name is loaded when it is first used.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from looprig._version import __version__ as __version__
    from looprig.declare.fields import Fixture as Fixture
    from looprig.declare.lifecycle import EntersItself as EntersItself
    from looprig.declare.lifecycle import Runs as Runs
    from looprig.declare.lifecycle import StartsAndStops as StartsAndStops
    from looprig.declare.loop_config import LoopConfig as LoopConfig
    from looprig.declare.loop_config import loop_config as loop_config
    from looprig.declare.proxy import Through as Through
    from looprig.declare.proxy import proxy_fixture as proxy_fixture
    from looprig.declare.service import service_fixture as service_fixture
    from looprig.exceptions import AskError as AskError
    from looprig.exceptions import BackgroundError as BackgroundError
    from looprig.exceptions import BlockedLoopError as BlockedLoopError
    from looprig.exceptions import DeadlockError as DeadlockError
    from looprig.exceptions import DeclarationError as DeclarationError
    from looprig.exceptions import ExtraMissingError as ExtraMissingError
    from looprig.exceptions import FixtureCrashedError as FixtureCrashedError
    from looprig.exceptions import FixtureError as FixtureError
    from looprig.exceptions import LeakError as LeakError
    from looprig.exceptions import LoopPlanError as LoopPlanError
    from looprig.exceptions import LooprigError as LooprigError
    from looprig.exceptions import ProxyError as ProxyError
    from looprig.exceptions import ServiceStartError as ServiceStartError
    from looprig.exceptions import StuckTaskError as StuckTaskError
    from looprig.exceptions import TimeoutExpiredError as TimeoutExpiredError
    from looprig.exceptions import UnexpectedResponseError as UnexpectedResponseError
    from looprig.http.client import TestClient as TestClient
    from looprig.http.response import Response as Response
    from looprig.net.tcp.proxy import TcpProxy as TcpProxy
    from looprig.net.udp.proxy import DatagramProxy as DatagramProxy
    from looprig.pytest_plugin.markers import timeout as timeout
    from looprig.pytest_plugin.watch.markers import allow_background as allow_background
    from looprig.pytest_plugin.watch.markers import watchdogs as watchdogs
    from looprig.runtime.ask import ask as ask
    from looprig.runtime.eventually import eventually as eventually
    from looprig.services.aiohttp import AiohttpService as AiohttpService
    from looprig.services.asgi import AsgiApp as AsgiApp
    from looprig.services.asgi import AsgiService as AsgiService
    from looprig.services.context import Context as Context
    from looprig.services.context import Key as Key
    from looprig.services.context import current_context as current_context
    from looprig.services.entrypoint import Entrypoint as Entrypoint
    from looprig.services.in_thread import call_service as call_service
    from looprig.services.process import ProcessService as ProcessService
    from looprig.services.proxy import Proxy as Proxy
    from looprig.services.rig import Rig as Rig
    from looprig.services.rig import rig as rig
    from looprig.services.tcp import TcpService as TcpService
    from looprig.services.udp_proxy import UdpProxy as UdpProxy

__all__ = [
    "AiohttpService",
    "AsgiApp",
    "AsgiService",
    "AskError",
    "BackgroundError",
    "BlockedLoopError",
    "Context",
    "DatagramProxy",
    "DeadlockError",
    "DeclarationError",
    "EntersItself",
    "Entrypoint",
    "ExtraMissingError",
    "Fixture",
    "FixtureCrashedError",
    "FixtureError",
    "Key",
    "LeakError",
    "LoopConfig",
    "LoopPlanError",
    "LooprigError",
    "ProcessService",
    "Proxy",
    "ProxyError",
    "Response",
    "Rig",
    "Runs",
    "ServiceStartError",
    "StartsAndStops",
    "StuckTaskError",
    "TcpProxy",
    "TcpService",
    "TestClient",
    "Through",
    "TimeoutExpiredError",
    "UdpProxy",
    "UnexpectedResponseError",
    "__version__",
    "allow_background",
    "ask",
    "call_service",
    "current_context",
    "eventually",
    "loop_config",
    "proxy_fixture",
    "rig",
    "service_fixture",
    "timeout",
    "watchdogs",
]

_HOMES = {
    "AiohttpService": "looprig.services.aiohttp",
    "AsgiApp": "looprig.services.asgi",
    "AsgiService": "looprig.services.asgi",
    "AskError": "looprig.exceptions",
    "BackgroundError": "looprig.exceptions",
    "BlockedLoopError": "looprig.exceptions",
    "Context": "looprig.services.context",
    "DatagramProxy": "looprig.net.udp.proxy",
    "DeadlockError": "looprig.exceptions",
    "DeclarationError": "looprig.exceptions",
    "EntersItself": "looprig.declare.lifecycle",
    "Entrypoint": "looprig.services.entrypoint",
    "ExtraMissingError": "looprig.exceptions",
    "Fixture": "looprig.declare.fields",
    "FixtureCrashedError": "looprig.exceptions",
    "FixtureError": "looprig.exceptions",
    "Key": "looprig.services.context",
    "LoopConfig": "looprig.declare.loop_config",
    "LeakError": "looprig.exceptions",
    "LoopPlanError": "looprig.exceptions",
    "LooprigError": "looprig.exceptions",
    "ProcessService": "looprig.services.process",
    "Proxy": "looprig.services.proxy",
    "ProxyError": "looprig.exceptions",
    "Response": "looprig.http.response",
    "Rig": "looprig.services.rig",
    "Runs": "looprig.declare.lifecycle",
    "ServiceStartError": "looprig.exceptions",
    "StartsAndStops": "looprig.declare.lifecycle",
    "StuckTaskError": "looprig.exceptions",
    "TcpProxy": "looprig.net.tcp.proxy",
    "TcpService": "looprig.services.tcp",
    "TestClient": "looprig.http.client",
    "Through": "looprig.declare.proxy",
    "TimeoutExpiredError": "looprig.exceptions",
    "UdpProxy": "looprig.services.udp_proxy",
    "UnexpectedResponseError": "looprig.exceptions",
    "__version__": "looprig._version",
    "allow_background": "looprig.pytest_plugin.watch.markers",
    "ask": "looprig.runtime.ask",
    "call_service": "looprig.services.in_thread",
    "current_context": "looprig.services.context",
    "eventually": "looprig.runtime.eventually",
    "loop_config": "looprig.declare.loop_config",
    "proxy_fixture": "looprig.declare.proxy",
    "rig": "looprig.services.rig",
    "service_fixture": "looprig.declare.service",
    "timeout": "looprig.pytest_plugin.markers",
    "watchdogs": "looprig.pytest_plugin.watch.markers",
}


# Each returns the object that watches something in a run: `proxy_watch` the proxies and other sources of errors
# (`looprig.watch.sources`), `process_watch` the processes (`looprig.watch.processes`). These are not public names. They
# are here so that they can be set before what they watch is loaded.
proxy_watch: ContextVar[Callable[[], Any]] = ContextVar("looprig.proxy_watch")
process_watch: ContextVar[Callable[[], Any]] = ContextVar("looprig.process_watch")


if not TYPE_CHECKING:  # with a `__getattr__`, they would accept any name

    def __getattr__(name: str) -> Any:
        from looprig._lazy import load  # noqa: PLC0415 - only once a name is used

        return load(__name__, name, _HOMES)


def __dir__() -> list[str]:
    return __all__
