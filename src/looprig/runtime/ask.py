"""`ask`: a running test or fixture asks for a fixture, and awaits it.

Does not find fixtures: whoever runs the operation does. The loop is left while pytest's synchronous machinery sets
the fixture up, which may itself run the loop; then the asker goes on.
"""

import asyncio
from functools import partial
from typing import Any, Final, TypeVar, overload

from looprig.exceptions import AskError
from looprig.location import caller_location
from looprig.runtime.context import OWNER, apply_changes
from looprig.runtime.operation import running

__all__ = ["ask"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message

S = TypeVar("S")


@overload
async def ask(wanted: type[S], /) -> S: ...
@overload
async def ask(wanted: str, /) -> Any: ...
@overload
async def ask(wanted: str, kind: type[S], /) -> S: ...
async def ask(wanted: type[Any] | str, kind: type[Any] | None = None, /) -> Any:
    """Gives the value of a fixture, which is set up now if need be.

    By its class, `rest = await ask(Rest)`, or by its name, `await ask("db")`; with a class beside the name,
    `await ask("db", Db)`, what it gives is one of that class.

    What it gives for a service class is an instance of that class. A fixture asked for like this lives as long as
    its scope says.

    Raises:
        AskError: nothing that can give fixtures runs this code, the fixture lives on another loop, or what it gives
            is none of that class.
    """
    asker = OWNER.get(None)
    loop = asyncio.get_running_loop()
    for operation in reversed(running.operations):
        # While a fixture is set up for one asker, other tasks of the test may ask too: each is answered as its owner.
        if operation.loop is loop and operation.resolve is not None and operation.owner is asker:
            value, carried, live = await operation.put(partial(operation.resolve, wanted))
            operation.needs |= live
            apply_changes(carried)
            if kind is not None and not isinstance(value, kind):
                raise AskError(
                    f"ask({wanted!r}, {kind.__qualname__}): the fixture gives one of {type(value).__qualname__}.",
                    [("ask", caller_location())],
                    f"Ask for {type(value).__qualname__}, or for another fixture.",
                )
            return value
    raise AskError(
        f"ask({wanted!r}) was called where no test is running and no fixture is being set up.",
        [("ask", caller_location())],
        "Ask in the body of an async test, or of an async fixture before its yield. Outside pytest, use rig().",
    )
