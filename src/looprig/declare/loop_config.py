"""`loop_config`: what the loops of a conftest's or module's subtree are to be like.

Does not find itself: the plugin looks for `LoopConfig` objects in the modules it collects. Pure; no asyncio.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

from looprig.exceptions import DeclarationError
from looprig.location import UNKNOWN, Location, caller_location
from looprig.scopes import Scope, ScopeName

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
else:
    AbstractEventLoop = Any  # asyncio is not imported here; `get_type_hints` still answers

__all__ = ["LoopConfig", "loop_config"]


@final
@dataclass(frozen=True, slots=True)
class LoopConfig:
    """A declaration about the loops of the tests below the conftest or module it stands in.

    What is `None` is not declared: an outer declaration, the command line or the default holds.
    """

    scope: Scope = Scope.FUNCTION
    factory: Callable[[], AbstractEventLoop] | None = None
    factories: Mapping[str, Callable[[], AbstractEventLoop]] = field(
        default_factory=dict[str, Callable[[], AbstractEventLoop]]
    )
    debug: bool | None = None
    executor: Callable[[], ThreadPoolExecutor] | None = None
    timeout: float | None = None
    location: Location = UNKNOWN


def loop_config(
    *,
    scope: ScopeName = "function",
    factory: Callable[[], AbstractEventLoop] | None = None,
    factories: Mapping[str, Callable[[], AbstractEventLoop]] | None = None,
    debug: bool | None = None,
    executor: Callable[[], ThreadPoolExecutor] | None = None,
    timeout: float | None = None,
) -> LoopConfig:
    """Declares the loops of a subtree. Write it at the top level of a conftest.py or test module:

        loops = loop_config(scope="module", factories={"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop})

    Args:
        scope: how wide each loop is at least; a fixture that needs a wider one gets it.
        factory: makes the loop.
        factories: makes every test run once with each of these, the names being the parameter ids.
        debug: asyncio's debug mode.
        executor: makes the loop's default executor.
        timeout: seconds that each of a test's set-up, call and teardown may take.

    Raises:
        DeclarationError: the values contradict each other.
    """
    location = caller_location()
    parties = [("loop_config", location)]
    if factory is not None and factories is not None:
        raise DeclarationError(
            "loop_config was given both factory and factories.",
            parties,
            "Give factory for one kind of loop, or factories to run every test with each of them.",
        )
    if factories is not None and not factories:
        raise DeclarationError("loop_config was given no factory in factories.", parties, "Name at least one.")
    if timeout is not None and timeout <= 0:
        raise DeclarationError(
            f"loop_config was given a timeout of {timeout} seconds.", parties, "Give a positive number of seconds."
        )
    return LoopConfig(
        Scope.parse(scope, of="loop_config", at=location),
        factory,
        dict(factories or {}),
        debug,
        executor,
        timeout,
        location,
    )
