"""`loop_config`: settings for the loops of all tests below a conftest or module.

Does not work out which settings apply to a test; the plugin does, from the modules around it. Pure: no asyncio.
"""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, cast, final

from looprig.adoptable import ADOPTABLE, Adoptable
from looprig.declare.checks import checked_scope
from looprig.declare.values import DURATION, FLAG, FUNCTION, TEXT, Check, check_values, shown
from looprig.exceptions import DeclarationError
from looprig.location import UNKNOWN, Location, caller_globals, caller_location
from looprig.scopes import Scope, ScopeName

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
else:
    AbstractEventLoop = Any  # asyncio must not be imported here, but `get_type_hints` has to work

__all__ = ["LoopConfig", "configs_in", "loop_config"]

_ATTRIBUTE: Final = "__looprig_loop_configs__"
_MAKER: Final = Check("a class or function that takes no arguments", FUNCTION.accepts)


@final
@dataclass(frozen=True, slots=True)
class LoopConfig:
    """Settings for the loops of the tests below the conftest or module that declares them.

    `None` means not set: an outer declaration, the command line or the default applies.
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
    adopt: frozenset[str] | None = None


def loop_config(
    *,
    scope: ScopeName = "function",
    factory: Callable[[], AbstractEventLoop] | None = None,
    factories: Mapping[str, Callable[[], AbstractEventLoop]] | None = None,
    debug: bool | None = None,
    executor: Callable[[], ThreadPoolExecutor] | None = None,
    timeout: float | None = None,
    adopt: bool | Adoptable | Collection[Adoptable] | None = None,
) -> LoopConfig:
    """Configure the loops of a subtree. Call it at the top level of a conftest.py or test module.

        loops = loop_config(factories={"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop})

    Args:
        scope: the minimum scope of each loop; a fixture that needs a wider one gets it.
        factory: creates the loop.
        factories: loop factories by name; every test runs once with each, and the names are the parameter ids.
        debug: asyncio's debug mode.
        executor: creates the loop's default executor.
        timeout: time limit in seconds for each of a test's set-up, call and teardown.
        adopt: the other plugins whose tests and fixtures looprig runs in their place; True for all, False for none.

    Raises:
        DeclarationError: a value is invalid, or contradicts another one here or in the same module.
    """
    __tracebackhide__ = True
    location = caller_location()
    party = [("loop_config", location)]
    if factory is not None and factories is not None:
        raise DeclarationError(
            "loop_config was given both factory and factories.",
            party,
            "Pass factory for one kind of loop, or factories to run every test once with each of them.",
        )
    _check_factories(factories, party)
    values = [
        ("factory", factory, _MAKER.or_none()),
        ("executor", executor, _MAKER.or_none()),
        ("debug", debug, FLAG.or_none()),
        ("timeout", timeout, DURATION.or_none()),
    ]
    check_values("loop_config", values, party)
    config = LoopConfig(
        checked_scope(scope, "loop_config", location),
        factory,
        dict(factories or {}),
        debug,
        executor,
        timeout,
        location,
        _adopted(adopt, party),
    )
    # Recorded on the calling module, so that it applies even if the result is not assigned to a name.
    module, is_its_body = caller_globals()
    declared: list[LoopConfig] = module.setdefault(_ATTRIBUTE, [])
    declared[:] = [other for other in declared if other.location != location]  # the module may be reloaded
    for other in declared if is_its_body else ():
        _check_agree(other, config)
    declared.append(config)
    return config


def _check_agree(one: LoopConfig, other: LoopConfig) -> None:
    """Check that two declarations of one module don't contradict each other: neither is nearer to a test."""
    __tracebackhide__ = True
    silences = (("scope", Scope.FUNCTION), ("debug", None), ("executor", None), ("timeout", None), ("adopt", None))
    for name, silent in silences:
        _check_one(name, getattr(one, name), getattr(other, name), silent, (one, other))
    _check_one("factory", one.factory or one.factories, other.factory or other.factories, {}, (one, other))


def _check_one(name: str, one: object, other: object, silent: object, both: tuple[LoopConfig, LoopConfig]) -> None:
    __tracebackhide__ = True
    if silent not in (one, other) and one != other:
        raise DeclarationError(
            f"Two loop_config calls in one module set different values of {name}: {one!r} and {other!r}.",
            [("loop_config", config.location) for config in both],
            "Set it once, or move the tests that need another value into a module of their own.",
        )


def _adopted(adopt: Any, party: list[tuple[str, Location]]) -> frozenset[str] | None:
    __tracebackhide__ = True
    if adopt is None or isinstance(adopt, bool):
        return None if adopt is None else ADOPTABLE if adopt else frozenset()
    names: Any = [adopt] if isinstance(adopt, str) else adopt
    if not isinstance(names, Collection) or any(name not in ADOPTABLE for name in cast("Any", names)):
        raise DeclarationError(
            f"loop_config was given adopt={adopt!r}.",
            party,
            f"Pass True, False, or names of plugins: {', '.join(sorted(ADOPTABLE))}.",
        )
    return frozenset(cast("Collection[str]", names))


def configs_in(module: ModuleType) -> tuple[LoopConfig, ...]:
    """Return the `loop_config` declarations made in a module itself, not those it imported, in order."""
    return tuple(vars(module).get(_ATTRIBUTE, ()))


def _check_factories(factories: Any, party: list[tuple[str, Location]]) -> None:
    __tracebackhide__ = True
    if factories is None:
        return
    if not isinstance(factories, Mapping):
        raise DeclarationError(
            f"loop_config was given {shown(factories)} as factories, which isn't a mapping.",
            party,
            'Name each factory; the names become test ids: {"asyncio": asyncio.new_event_loop}.',
        )
    if not factories:
        raise DeclarationError("loop_config was given empty factories.", party, "Name at least one factory.")
    for name, value in cast("Any", factories).items():
        if not TEXT.accepts(name) or not callable(value):
            raise DeclarationError(
                f"loop_config was given {shown(name)}: {shown(value)} in factories.",
                party,
                "Map a name to a function that takes no arguments and returns a loop.",
            )
