"""The typed context that services and tests share: values by key, with a way to wait for a value.

The values of `default_context` are set before the first service of a test starts. Does not copy anything to another
library's context (`entrypoint` does that for aiomisc).
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Final, Generic, TypeVar, cast, final, overload

from looprig.declare.values import TEXT, Check, check_values, instance_of
from looprig.exceptions import LooprigError
from looprig.location import caller_location

__all__ = ["Context", "Key", "current_context"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

T = TypeVar("T")


@final
class Key(Generic[T]):
    """The name of a value of type T in a `Context`: `DSN = Key[str]("dsn")`. Keys with the same name are equal."""

    # Not a frozen dataclass: `Key[str]("dsn")` tries to set `__orig_class__`, and that must fail with AttributeError.
    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        check_values("Key", [("name", name, TEXT)])
        self._name: str = name

    @property
    def name(self) -> str:
        """The name, which identifies the key."""
        return self._name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and other.name == self._name

    def __hash__(self) -> int:
        return hash(self._name)

    def __repr__(self) -> str:
        return f"Key({self._name!r})"


_KEY: Final = instance_of("a Key or a string", Key, str)
_VALUES: Final = Check(
    "a mapping of Keys or strings to values",
    lambda value: (
        value is None or (isinstance(value, Mapping) and all(map(_KEY.accepts, cast("Mapping[object, object]", value))))
    ),
)


@final
class Context:
    """Values by key. A plain string can be a key too, for a value of unknown type.

    >>> context = Context({"foo": "bar"})
    >>> context.get(Key[str]("foo"))
    'bar'
    """

    __slots__ = ("_arrived", "_values")

    def __init__(self, values: "Mapping[str, Any] | Mapping[Key[Any], Any] | None" = None) -> None:
        check_values("Context", [("values", values, _VALUES)])
        self._values: dict[str, Any] = {}
        self._arrived: dict[str, list[asyncio.Future[None]]] = {}
        for key, value in (values or {}).items():
            self.set(key, value)

    @overload
    def get(self, key: Key[T]) -> T: ...
    @overload
    def get(self, key: str) -> Any: ...
    def get(self, key: Key[Any] | str) -> Any:
        """Return the value of a key.

        Raises:
            LooprigError: the key has no value. The message lists the keys that have one.
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
        """Wait until a key has a value, and return the value."""
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
        """Set a value, and wake the tasks that wait for it."""
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
    check_values("Context", [("key", key, _KEY)])
    return key if isinstance(key, str) else key.name


current: Final[ContextVar[Context | None]] = ContextVar("looprig.context")


def current_context() -> Context:
    """Return the context of the running test or service.

    Raises:
        LooprigError: the running test has no context.
    """
    context = current.get(None)
    if context is None:
        raise LooprigError(
            "There is no context here: neither default_context nor services is overridden.",
            [("current_context", caller_location())],
            "Override the default_context fixture, or add the parameter `entrypoint` to the test.",
        )
    return context
