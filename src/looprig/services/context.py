"""The typed context that services and tests share: values by key, which one may wait for.

What `default_context` gives is put here before the first service of a test starts. Does not copy anything to
another library's context (`entrypoint` does that for aiomisc).
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Final, Generic, TypeVar, final, overload

from looprig.exceptions import LooprigError
from looprig.location import caller_location

__all__ = ["Context", "Key", "current_context"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message

T = TypeVar("T")


@final
class Key(Generic[T]):
    """Names a value of type T in a `Context`: `DSN = Key[str]("dsn")`. Equal to any other key of that name."""

    # No frozen dataclass: `Key[str]("dsn")` sets an attribute on what it makes, and must find that it cannot.
    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name: str = name

    @property
    def name(self) -> str:
        """What tells it from other keys."""
        return self._name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and other.name == self._name

    def __hash__(self) -> int:
        return hash(self._name)

    def __repr__(self) -> str:
        return f"Key({self._name!r})"


@final
class Context:
    """Values by key. A plain string is a key too, of a value whose type is not known.

    >>> context = Context({"foo": "bar"})
    >>> context.get(Key[str]("foo"))
    'bar'
    """

    __slots__ = ("_arrived", "_values")

    def __init__(self, values: "Mapping[str, Any] | Mapping[Key[Any], Any] | None" = None) -> None:
        self._values: dict[str, Any] = {}
        self._arrived: dict[str, list[asyncio.Future[None]]] = {}
        for key, value in (values or {}).items():
            self.set(key, value)

    @overload
    def get(self, key: Key[T]) -> T: ...
    @overload
    def get(self, key: str) -> Any: ...
    def get(self, key: Key[Any] | str) -> Any:
        """The value that is there.

        Raises:
            LooprigError: there is none; its text names those that are.
        """
        name = _name(key)
        if name not in self._values:
            known = ", ".join(sorted(self._values)) or "nothing"
            raise LooprigError(
                f"The context has no {name!r}; it has {known}.",
                [("get", caller_location())],
                "Put it into default_context, set it in a service, or await context.wait(...) for it.",
            )
        return self._values[name]

    @overload
    async def wait(self, key: Key[T]) -> T: ...
    @overload
    async def wait(self, key: str) -> Any: ...
    async def wait(self, key: Key[Any] | str) -> Any:
        """The value, once somebody has set it."""
        name = _name(key)
        if name not in self._values:
            arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._arrived.setdefault(name, []).append(arrived)
            await arrived
        return self._values[name]

    @overload
    def set(self, key: Key[T], value: T) -> None: ...
    @overload
    def set(self, key: str, value: object) -> None: ...
    def set(self, key: Key[Any] | str, value: Any) -> None:
        """Sets a value, and wakes those that wait for it."""
        name = _name(key)
        self._values[name] = value
        for arrived in self._arrived.pop(name, ()):
            if not arrived.done():
                arrived.set_result(None)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._values))

    def __contains__(self, key: object) -> bool:
        name: object = key.name if isinstance(key, Key) else key
        return name in self._values

    def __repr__(self) -> str:
        return f"<looprig.Context of {', '.join(sorted(self._values)) or 'nothing'}>"


def _name(key: Key[Any] | str) -> str:
    return key if isinstance(key, str) else key.name


current: Final[ContextVar[Context | None]] = ContextVar("looprig.context")


def current_context() -> Context:
    """The context of the test or service that runs.

    Raises:
        LooprigError: nothing that has a context runs.
    """
    context = current.get(None)
    if context is None:
        raise LooprigError(
            "There is no context here: neither default_context nor services is overridden.",
            [("current_context", caller_location())],
            "Override the default_context fixture, or make `entrypoint` a parameter of the test.",
        )
    return context
