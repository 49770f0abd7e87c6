"""The fixture functions of services, of their aliases, and of their clients.

Does not register them (`registry` does). Each pretends to be defined where the service class is, so that `--fixtures`
and errors point there.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Sequence
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Final, final

from looprig.exceptions import DeclarationError, LooprigError
from looprig.location import Location, location_of
from looprig.scopes import Scope

if TYPE_CHECKING:
    import asyncio

    from looprig.declare.service import ServiceSpec
    from looprig.http.connections import Connections
    from looprig.pytest_plugin.collection.annotations import Target
    from looprig.pytest_plugin.shared_run import SharedRun
    from looprig.watch.leak_reports import LeftOpen

__all__ = ["RunningServices", "alias_function", "client_function", "no_url", "service_function"]


@final
class RunningServices:
    """The connections that the clients of each running service share. The service closes them.

    `note_left_open` reports the streams and websockets that a test did not close.
    """

    def __init__(self, note_left_open: Callable[[Sequence[LeftOpen]], None]) -> None:
        self._running: dict[int, tuple[asyncio.AbstractEventLoop, list[Connections]]] = {}
        self.note_left_open: Final = note_left_open

    def begin(self, service: object, loop: asyncio.AbstractEventLoop) -> list[Connections]:
        """Record that a service has started on this loop, and return the list of what clients will open to it."""
        opened: list[Connections] = []
        self._running[id(service)] = (loop, opened)
        return opened

    def connections(self, service: object, path: str | None) -> Connections:
        """Return the connections to a running service, which may listen on the Unix socket `path`.

        Raises:
            LooprigError: the service has ended early.
        """
        from looprig.http.connections import Connections  # noqa: PLC0415 - not before a client is opened

        if id(service) not in self._running:
            name = type(service).__qualname__
            raise LooprigError(
                f"{name} has ended before its teardown, so a TestClient cannot reach it.",
                [(name, location_of(type(service)))],
                "Keep it running as long as its scope lasts: its `run` must not leave its `yield` early.",
            )
        loop, opened = self._running[id(service)]
        if not opened:
            opened.append(Connections(loop, getattr(service, "client_tls", None), path))
        return opened[0]

    def end(self, service: object) -> None:
        """Record that a service is about to stop."""
        del self._running[id(service)]


def service_function(
    spec: ServiceSpec,
    arguments: dict[str, str],
    routed: Collection[str],
    running: RunningServices,
    share: Callable[[], SharedRun] | None = None,
) -> Any:
    """Return a fixture function that creates, starts and stops a service. `arguments` names the fixture of each field.

    For a field in `routed`, the fixture is a proxy, and the value is the service behind it. `share` returns the run
    with which this process shares the service, if it does.
    """

    async def service(**values: Any) -> Any:
        __tracebackhide__ = True
        import asyncio  # noqa: PLC0415 - not before a service starts

        from looprig.services.lifecycle import Alive  # noqa: PLC0415 - it loads asyncio

        fields = {field: values[name] for field, name in arguments.items()}
        fields.update({field: fields[field].routed for field in routed})
        alive = Alive(lambda: spec.cls(**fields), spec) if share is None else share().use(spec, fields)
        async with alive as started:
            if spec.scope is Scope.RUN and share is None:
                from looprig.services.refused import refuse_what_disturbs  # noqa: PLC0415 - few services

                refuse_what_disturbs(started, spec)
            if spec.in_thread:
                from looprig.services.in_thread import moved_back, moved_to_its_loop  # noqa: PLC0415 - only there

                moved = moved_to_its_loop(started, spec, asyncio.get_running_loop())
                try:
                    yield started
                finally:
                    moved_back(started, moved)
                return
            # In this frame, the fixture holds the connections: a test that opens one doesn't leak it.
            opened = running.begin(started, asyncio.get_running_loop())
            try:
                yield started
            finally:
                running.end(started)
                for connections in opened:
                    await connections.close()

    parameters = list(dict.fromkeys(arguments.values()))
    dressed = _dressed(service, spec, parameters, _doc(spec.cls))
    if not spec.in_thread:
        return dressed

    def service_in_thread(**_values: object) -> None:
        raise AssertionError  # the plugin calls `service` in the thread instead

    stand_in = _dressed(service_in_thread, spec, parameters, _doc(spec.cls))
    stand_in.__looprig_in_thread__ = dressed
    return stand_in


def alias_function(target: Target, fixture: str, _running: RunningServices) -> Any:
    """Return a fixture function for the service that `fixture` runs, or for the one behind that proxy."""

    def alias(**values: Any) -> Any:
        found = values[fixture]
        return found if target.through is None else found.routed

    return _dressed(alias, target.fixture, [fixture], _doc(target.spec.cls))


def client_function(target: Target, fixture: str, running: RunningServices) -> Any:
    """Return a fixture function for a client of the service that `fixture` runs, or of the one behind that proxy."""
    spec = target.spec
    doc = f"A client of {spec.cls.__qualname__}, closed after the test."
    if target.fixture.in_thread:
        # Its loop is the test's, not that of the service, so it can't share connections.
        async def own_client(**values: Any) -> Any:
            __tracebackhide__ = True
            from looprig.http.client import TestClient, left_open  # noqa: PLC0415 - not before a client is opened

            if not hasattr(values[fixture], "url"):
                raise no_url(spec)
            opened = TestClient(values[fixture])
            async with opened:
                try:
                    yield opened
                finally:
                    running.note_left_open(left_open(opened))

        return _dressed(own_client, target.fixture, [fixture], doc)

    def client(**values: Any) -> Any:
        __tracebackhide__ = True
        from looprig.http.address import socket_of, url_of_service  # noqa: PLC0415 - not before a client is opened
        from looprig.http.client import sharing  # noqa: PLC0415 - not before a client is opened

        given = values[fixture]
        service = given if target.through is None else given.routed
        url = url_of_service(service)
        if url is None:
            raise no_url(spec)
        yield from sharing(service, running.connections(given, socket_of(url)), running.note_left_open)

    return _dressed(client, target.fixture, [fixture], doc)


def no_url(spec: ServiceSpec) -> DeclarationError:
    """Return the error for a client of a service that has no `url`."""
    return DeclarationError(
        f"{spec.cls.__qualname__} has no url, so a TestClient cannot know where to send requests.",
        [spec.party],
        "Give it a `url` property, or request the service itself instead of a client.",
    )


def _doc(cls: type) -> str | None:
    """Return the docstring of a class, without the signature that `dataclass` uses if there is none."""
    doc = cls.__doc__
    return None if doc is not None and doc.startswith(f"{cls.__name__}(") else doc


def _dressed(function: Any, spec: ServiceSpec, parameters: list[str], doc: str | None) -> Any:
    function.__signature__ = inspect.Signature(
        [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in parameters]
    )
    function.__name__ = spec.name
    function.__qualname__ = spec.cls.__qualname__
    function.__module__ = spec.cls.__module__
    function.__doc__ = doc
    function.__wrapped__ = _stand_in(spec.location)
    return function


def _stand_in(location: Location) -> FunctionType:
    """Return a function whose code object has `location`, which pytest shows as the function's place."""

    def stand_in() -> None: ...

    line = max(location.line, 1)
    code: CodeType = stand_in.__code__.replace(co_filename=location.path, co_firstlineno=line)
    return FunctionType(code, {})  # no globals, since it is defined in no module
