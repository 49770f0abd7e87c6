"""`loop_config`: what the loops of a conftest's or module's subtree are to be like.

Does not say what holds for a test: the plugin asks the modules around it for theirs. Pure; no asyncio.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, cast, final

from looprig.declare.checks import checked_scope, is_duration
from looprig.exceptions import DeclarationError
from looprig.location import UNKNOWN, Location, caller_globals, caller_location
from looprig.scopes import Scope, ScopeName

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
else:
    AbstractEventLoop = Any  # asyncio is not imported here; `get_type_hints` still answers

__all__ = ["LoopConfig", "configs_in", "loop_config"]

_ATTRIBUTE: Final = "__looprig_loop_configs__"


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
    """Declares the loops of a subtree, at the top level of a conftest.py or test module.

        loops = loop_config(factories={"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop})

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
    __tracebackhide__ = True
    location = caller_location()
    party = [("loop_config", location)]
    if factory is not None and factories is not None:
        raise DeclarationError(
            "loop_config was given both factory and factories.",
            party,
            "Give factory for one kind of loop, or factories to run every test with each of them.",
        )
    _check_factories(factories, party)
    callables: list[tuple[str, Any]] = [("factory", factory), ("executor", executor)]
    for name, value in callables:
        if value is not None and not callable(value):
            raise DeclarationError(
                f"loop_config was given {value!r} as {name}, which cannot be called.",
                party,
                f"Give {name} what makes one: a class or function that takes no argument.",
            )
    if timeout is not None and not is_duration(timeout):
        raise DeclarationError(
            f"loop_config was given timeout={timeout!r}.", party, "Give a number of seconds above 0."
        )
    config = LoopConfig(
        checked_scope(scope, "loop_config", location),
        factory,
        dict(factories or {}),
        debug,
        executor,
        timeout,
        location,
    )
    # On the module that says it, so that it holds whether or not it is given a name there.
    module, is_its_body = caller_globals()
    declared: list[LoopConfig] = module.setdefault(_ATTRIBUTE, [])
    declared[:] = [other for other in declared if other.location != location]  # the module is run anew
    for other in declared if is_its_body else ():
        _check_agree(other, config)
    declared.append(config)
    return config


def _check_agree(one: LoopConfig, other: LoopConfig) -> None:
    """Two declarations of one module may each say a part; neither is nearer to a test than the other."""
    __tracebackhide__ = True
    for name, silent in (("scope", Scope.FUNCTION), ("debug", None), ("executor", None), ("timeout", None)):
        _check_one(name, getattr(one, name), getattr(other, name), silent, (one, other))
    _check_one("factory", one.factory or one.factories, other.factory or other.factories, {}, (one, other))


def _check_one(name: str, one: object, other: object, silent: object, both: tuple[LoopConfig, LoopConfig]) -> None:
    __tracebackhide__ = True
    if silent not in (one, other) and one != other:
        raise DeclarationError(
            f"Two loop_config in one module contradict each other about {name}: {one!r} and {other!r}.",
            [("loop_config", config.location) for config in both],
            "Declare it once, or move the tests that need another into a module of their own.",
        )


def configs_in(module: ModuleType) -> tuple[LoopConfig, ...]:
    """The declarations that a module made, in their order; one that it imported belongs to where it was made."""
    return tuple(vars(module).get(_ATTRIBUTE, ()))


def _check_factories(factories: Any, party: list[tuple[str, Location]]) -> None:
    __tracebackhide__ = True
    if factories is None:
        return
    if not isinstance(factories, Mapping):
        raise DeclarationError(
            f"loop_config was given {factories!r} as factories, which is no mapping.",
            party,
            'Name each of them, for the ids of the tests: {"asyncio": asyncio.new_event_loop}.',
        )
    if not factories:
        raise DeclarationError("loop_config was given no factory in factories.", party, "Name at least one.")
    for name, value in cast("Any", factories).items():
        if not isinstance(name, str) or not callable(value):
            raise DeclarationError(
                f"loop_config was given {name!r}: {value!r} in factories.",
                party,
                "Give a name, and what makes a loop: a function that takes no argument.",
            )
