"""A peer that sends something else: a function changes each chunk."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, final

from looprig.declare.values import FUNCTION, Check
from looprig.toxics.checked import as_bytes
from looprig.toxics.effects import Await, Effect, Send
from looprig.toxics.flow import Flow
from looprig.toxics.tcp.toxic import Toxic

__all__ = ["Transform"]


@final
@dataclass(frozen=True, slots=True)
class Transform(Toxic):
    """Sends the result of `fn(chunk)` instead of the chunk. `fn` may be a coroutine function: chunks keep their order.

    The network decides how a stream is cut into chunks. If `fn` raises, the connection is reset and the test fails.
    """

    _checks: ClassVar[Mapping[str, Check]] = {"fn": FUNCTION}

    fn: Callable[[bytes], bytes | Awaitable[bytes]]

    @property
    def source(self) -> object:
        """The suite's own function, which errors point to."""
        return self.fn

    def on_data(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        made = self.fn(data)
        if inspect.isawaitable(made):
            yield Await(made)
        else:
            yield Send(as_bytes(made, "Transform"))
