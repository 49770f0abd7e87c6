"""Typed async testing for pytest, in which the loop of a test and the loops of its fixtures are always the same.

This is the public face: names handed on, nothing defined. What needs asyncio or aiohttp is loaded when its name is
first touched, and seen by type checkers all the same.

    >>> from looprig import service_fixture, TestClient, AiohttpService
"""

from typing import TYPE_CHECKING, Any

from looprig._version import __version__ as __version__
from looprig.declare.fields import Fixture as Fixture
from looprig.declare.lifecycle import EntersItself as EntersItself
from looprig.declare.lifecycle import Runs as Runs
from looprig.declare.lifecycle import StartsAndStops as StartsAndStops
from looprig.declare.loop_config import LoopConfig as LoopConfig
from looprig.declare.loop_config import loop_config as loop_config
from looprig.declare.service import service_fixture as service_fixture
from looprig.exceptions import AskError as AskError
from looprig.exceptions import DeclarationError as DeclarationError
from looprig.exceptions import ExtraMissingError as ExtraMissingError
from looprig.exceptions import FixtureCrashedError as FixtureCrashedError
from looprig.exceptions import FixtureError as FixtureError
from looprig.exceptions import LoopExceptionsError as LoopExceptionsError
from looprig.exceptions import LoopPlanError as LoopPlanError
from looprig.exceptions import LooprigError as LooprigError
from looprig.exceptions import ServiceStartError as ServiceStartError
from looprig.exceptions import StuckTaskError as StuckTaskError
from looprig.exceptions import TimeoutExpiredError as TimeoutExpiredError
from looprig.exceptions import UnexpectedResponseError as UnexpectedResponseError
from looprig.location import Location as Location

if TYPE_CHECKING:
    from looprig.http.client import TestClient as TestClient
    from looprig.http.response import Response as Response
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
    from looprig.services.rig import Rig as Rig
    from looprig.services.rig import rig as rig
    from looprig.services.tcp import TcpService as TcpService

__all__ = [
    "AiohttpService",
    "AsgiApp",
    "AsgiService",
    "AskError",
    "Context",
    "DeclarationError",
    "EntersItself",
    "Entrypoint",
    "ExtraMissingError",
    "Fixture",
    "FixtureCrashedError",
    "FixtureError",
    "Key",
    "Location",
    "LoopConfig",
    "LoopExceptionsError",
    "LoopPlanError",
    "LooprigError",
    "ProcessService",
    "Response",
    "Rig",
    "Runs",
    "ServiceStartError",
    "StartsAndStops",
    "StuckTaskError",
    "TcpService",
    "TestClient",
    "TimeoutExpiredError",
    "UnexpectedResponseError",
    "__version__",
    "ask",
    "current_context",
    "loop_config",
    "rig",
    "service_fixture",
    "timeout",
]

_LAZY = {
    "AiohttpService": "looprig.services.aiohttp",
    "AsgiApp": "looprig.services.asgi",
    "AsgiService": "looprig.services.asgi",
    "Context": "looprig.services.context",
    "Entrypoint": "looprig.services.entrypoint",
    "Key": "looprig.services.context",
    "ProcessService": "looprig.services.process",
    "Response": "looprig.http.response",
    "Rig": "looprig.services.rig",
    "TcpService": "looprig.services.tcp",
    "TestClient": "looprig.http.client",
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
