"""`ask`: request a fixture from a running test or fixture.

Does not find fixtures; the operation's `resolve` does. The loop stops while pytest's synchronous machinery sets the
fixture up, which may itself run the loop. Then the caller continues.
"""

import asyncio
from functools import partial
from types import UnionType
from typing import Any, Final, TypeVar, get_origin, overload

from looprig.declare.lifecycle import HasStartAndStopOrRunOrAenter as S
from looprig.exceptions import AskError
from looprig.location import caller_location
from looprig.runtime.context import OWNER, apply_changes
from looprig.runtime.operation import running

__all__ = ["ask"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

T = TypeVar("T")


@overload
async def ask(wanted: type[S], /) -> S: ...
@overload
async def ask(wanted: str, /) -> Any: ...
@overload
async def ask(wanted: str, kind: type[T], /) -> T: ...
async def ask(wanted: type[Any] | str, kind: type[Any] | None = None, /) -> Any:
    """Return the value of a fixture, and set it up first if necessary.

    Request a service by its class, `rest = await ask(Rest)`, and a client or proxy of one by its type,
    `await ask(TestClient[Rest])`, as parameters of tests do. Request any fixture by its name, `await ask("db")`. With a
    class in addition to the name, `await ask("db", Db)`, the value must be an instance of that class.

    The fixture lives as long as its scope says.

    Raises:
        AskError: the caller isn't an async test or fixture, the fixture lives on another loop, or its value isn't an
            instance of the class.
    """
    cls = get_origin(kind) or kind
    if kind is not None and (not isinstance(cls, type) or cls is UnionType):
        raise AskError(
            f"ask({wanted!r}, {kind!r}): the second argument isn't a class.",
            [("ask", caller_location())],
            f"Pass the class that the value is an instance of: ask({wanted!r}, Db). For any value: ask({wanted!r}).",
        )
    asker = OWNER.get(None)
    loop = asyncio.get_running_loop()
    for operation in reversed(running.operations):
        # While a fixture is set up for one caller, other tasks may call `ask` too, so find the operation of this owner.
        if operation.loop is loop and operation.resolve is not None and operation.owner is asker:
            value, carried, live = await operation.put(partial(operation.resolve, wanted))
            operation.needs |= live
            apply_changes(carried)
            if isinstance(cls, type) and not isinstance(value, cls):
                raise AskError(
                    f"ask({wanted!r}, {cls.__qualname__}): the fixture's value is a {type(value).__qualname__}.",
                    [("ask", caller_location())],
                    f"Ask for {type(value).__qualname__}, or for another fixture.",
                )
            return value
    raise AskError(
        f"ask({wanted!r}) was called where no test is running and no fixture is being set up.",
        [("ask", caller_location())],
        "Call it in an async test, or in an async fixture before its yield. Outside pytest, use rig().",
    )
