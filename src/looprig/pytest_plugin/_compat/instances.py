"""Live instances of fixtures: pytest keeps one for each definition, in its `cached_result`.

pytest documents neither `cached_result` and `cache_key`, nor that `execute` and `finish` of a definition may be
replaced. It calls no hook when it takes a value from its cache.
"""

# pyright: reportPrivateUsage=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import pytest

from looprig.pytest_plugin._compat.parameters import parameter_values

if TYPE_CHECKING:
    from looprig.pytest_plugin._compat import Definition

__all__ = [
    "cached_value",
    "copied_definition",
    "forget",
    "guard",
    "held_by",
    "is_cached",
    "is_cached_for",
    "make_dynamic",
    "poison",
]


def is_cached(definition: Definition) -> bool:
    """Return whether the fixture has a live instance, whose set-up did not fail."""
    return definition.cached_result is not None and definition.cached_result[2] is None


def is_cached_for(definition: Definition, item: pytest.Function) -> bool:
    """Return whether the live instance is the one for an item, and not one for another parameter."""
    parameters = parameter_values(item)
    return is_cached(definition) and (
        definition.argname not in parameters
        or (definition.cached_result is not None and definition.cached_result[1] is parameters[definition.argname])
    )


def cached_value(definition: Definition) -> Any:
    """Return the value of a live fixture."""
    assert definition.cached_result is not None
    return definition.cached_result[0]


def held_by(definition: Definition) -> tuple[object, ...]:
    """Return the value of a live fixture and its finalizers, which hold its generator."""
    return cached_value(definition), *definition._finalizers


def copied_definition(definition: Definition, function: Callable[..., Any], session: pytest.Session) -> Definition:
    """Return a copy of a definition with another function. It has its own instances and isn't registered."""
    make = cast("Any", pytest.FixtureDef)
    made: Definition = make(
        config=session.config,
        baseid=None,
        argname=definition.argname,
        func=function,
        scope=definition.scope,
        params=definition.params,
        ids=definition.ids,
        node=session if definition.node is None else definition.node,
        _autouse=definition._autouse,
        _ispytest=True,
    )
    return made


def poison(definition: Definition, error: BaseException) -> Callable[[], None]:
    """Make all further requests for a live fixture raise `error`, as after a failed set-up. Return a way to undo it."""
    before = definition.cached_result
    if before is None:
        return lambda: None
    poisoned = definition.cached_result = (None, before[1], (error, error.__traceback__))

    def undo() -> None:
        if definition.cached_result is poisoned:  # not torn down
            definition.cached_result = before

    return undo


def forget(definition: Definition, request: pytest.FixtureRequest, error: BaseException) -> None:
    """Run the finalizers of a failed set-up at once, so that pytest sets the fixture up again for the next request.

    pytest caches the error of a set-up until the end of the scope, and finishes only fixtures that it has cached. It
    does not cache an error that a hook raised around the set-up, but the remaining finalizers would confuse it.
    """
    if definition.cached_result is None:
        definition.cached_result = (None, None, (error, error.__traceback__))
    definition.finish(cast("Any", request))


def guard(definition: Definition, admit: Callable[[pytest.FixtureRequest], None]) -> None:
    """Call `admit` with each later request for a live fixture.

    pytest compares cache keys before it returns a cached value, so `admit` is called there.
    """
    guarded = cast("Any", definition)
    if "cache_key" in guarded.__dict__:
        return
    original = definition.cache_key

    def cache_key(request: Any) -> object:
        __tracebackhide__ = True
        if definition.cached_result is not None:
            admit(request)
        return original(request)

    guarded.cache_key = cache_key


def make_dynamic(definition: Definition, resolve: Callable[[pytest.FixtureRequest], object]) -> None:
    """Make a session-scoped fixture compute its value for each request, so that fixtures of every scope may request it.

    pytest's own `request` fixture works in the same way: it always has a `cached_result` and accepts no finalizers.
    """

    def execute(request: pytest.FixtureRequest) -> object:
        value = resolve(request)
        definition.cached_result = (value, None, None)
        return value

    def ignore(*_arguments: object, **_options: object) -> None:
        """Do nothing: a dynamic fixture is never torn down."""

    dynamic = cast("Any", definition)
    dynamic.execute = execute
    dynamic.addfinalizer = dynamic.finish = ignore
