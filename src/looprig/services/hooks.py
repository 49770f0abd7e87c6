"""The methods of services that a suite implements as `async def`: an error that says so if one of them isn't async.

Does not call them. Invariant: a plain function may implement one, as long as it returns something to await.
"""

import inspect
from collections.abc import Awaitable
from typing import Any, Final

from looprig.exceptions import DeclarationError
from looprig.location import location_of

__all__ = ["awaitable"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


def awaitable(made: Any, service: object, method: str) -> Awaitable[Any]:
    """Return what a method of a service returned, to be awaited.

    Raises:
        DeclarationError: it can't be awaited.
    """
    if inspect.isawaitable(made):
        return made
    cls = type(service)
    name = f"{cls.__qualname__}.{method}"
    returned = "None" if made is None else f"a {type(made).__qualname__}"
    raise DeclarationError(
        f"{name} returned {returned}, which cannot be awaited.",
        [(cls.__qualname__, location_of(cls)), (name, location_of(getattr(cls, method)))],
        f"Write `async def {method}`.",
    )
