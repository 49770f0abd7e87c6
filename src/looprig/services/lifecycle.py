"""The life of one service: create it, start it within its time limit, use it, stop it.

Does not resolve dependencies (`rig` and the plugin do).

Invariants:
1. The error of a service that does not start includes what it logged while starting, and where it stood if its time
   was up.
2. Start and stop run in the same task, the caller's, so that a service can use task groups and timeouts freely.
3. An error while the service is in use, such as the cancellation of its task, is passed to `run` or `__aexit__`, so
   that the service sees it first. `stop` is called without it.
4. A service that breaks the rules of its lifecycle is reported with its class and location.
5. An error of a service that stops names the service: it is reported by whichever test happens to be the last one.
"""

import asyncio
import logging
import textwrap
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final, TypeVar, final

from looprig.declare.fields_meta import check_configuration
from looprig.declare.lifecycle import Lifecycle
from looprig.declare.service import ServiceSpec
from looprig.exceptions import DeclarationError, FixtureError, LooprigError, ServiceStartError, summary
from looprig.runtime.clock import Timeout
from looprig.runtime.errors import root_of
from looprig.runtime.stacks import suite_waits_at
from looprig.runtime.tasks import context_of
from looprig.services.address import note_end, running_test
from looprig.services.hooks import awaitable

__all__ = ["Alive", "within_start_timeout"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing

_T = TypeVar("_T")

_KEPT_RECORDS: Final = 50
_starting: Final[ContextVar[object]] = ContextVar("looprig.starting")


@final
class _StartStop:
    """`start` and `stop` as a context manager."""

    def __init__(self, service: Any) -> None:
        self._service = service

    async def __aenter__(self) -> None:
        await awaitable(self._service.start(), self._service, "start")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await awaitable(self._service.stop(), self._service, "stop")


@final
class _Running:
    """`run` as a context manager."""

    def __init__(self, service: Any, spec: ServiceSpec) -> None:
        self._generator: Any = None
        self._service = service
        self._spec = spec

    async def __aenter__(self) -> None:
        made = self._service.run()
        if not hasattr(made, "__anext__"):
            what = f"run returned {made!r}, which isn't an async iterator"
            raise _broken(ServiceStartError, self._spec, what, "Make it an async generator.")
        self._generator = made
        try:
            await anext(made)
        except StopAsyncIteration:
            what = "run ended without a yield"
            raise _broken(ServiceStartError, self._spec, what, "Yield once, where the service is ready.") from None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        generator = self._generator
        try:
            # An iterator that isn't a generator has no `athrow`, so the error can't reach it.
            if error is not None and hasattr(generator, "athrow"):
                await generator.athrow(error)
            else:
                await anext(generator)
        except StopAsyncIteration:
            return error is not None
        except BaseException as raised:
            if raised is error:
                raised.__traceback__ = traceback  # the caller raises it again; the service's frames add nothing
                return False
            raise
        if hasattr(generator, "aclose"):
            await generator.aclose()
        what = "run yielded twice"
        raise _broken(FixtureError, self._spec, what, "Yield once; the code after the yield stops the service.")


def _manager(service: Any, spec: ServiceSpec) -> AbstractAsyncContextManager[Any, Any]:
    """Return a service with any of the three lifecycles as an async context manager."""
    if spec.lifecycle is Lifecycle.RUNS:
        return _Running(service, spec)
    if spec.lifecycle is Lifecycle.STARTS_AND_STOPS:
        return _StartStop(service)
    return service  # type: ignore[no-any-return]


@final
class _Records(logging.Handler):
    """The log records of one service's start, from all of its tasks."""

    def __init__(self, token: object) -> None:
        super().__init__()
        self._token = token
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        if _starting.get(None) is not self._token:
            return
        try:
            self.lines.append(self.format(record))
        except Exception:  # noqa: BLE001 - a record that can't be formatted must not fail the code that logged it
            self.lines.append(f"{record.levelname} {record.name}: {record.msg!r} with {record.args!r}")
        del self.lines[:-_KEPT_RECORDS]


@final
class Alive:
    """A running service: created and started on entry, stopped on exit.

        async with Alive(lambda: spec.cls(**fields), spec) as service: ...

    Raises:
        ServiceStartError: the service could not be created, raised during its start, or was not ready in time.
    """

    # A class, since the frames of a decorated generator would be in every traceback of a service.

    def __init__(self, make: Callable[[], Any], spec: ServiceSpec) -> None:
        self._make = make
        self._spec = spec

    async def __aenter__(self) -> Any:
        self._service, self._manager = await _start(self._make, self._spec)
        return self._service

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        during = running_test() if error is not None else None
        failure: BaseException | None = None
        try:
            return bool(await self._manager.__aexit__(kind, error, traceback))
        except BaseException as raised:
            failure = root_of(raised)
            if error is None:
                _name_in(raised, self._spec)
            raise
        finally:
            if error is not None:
                note_end(self._service, failure, during)


async def _start(make: Callable[[], Any], spec: ServiceSpec) -> tuple[Any, AbstractAsyncContextManager[Any, Any]]:
    async def enter() -> tuple[Any, AbstractAsyncContextManager[Any, Any]]:
        service = make()
        check_configuration(service)
        manager = _manager(service, spec)
        entered = await manager.__aenter__()
        if spec.lifecycle is Lifecycle.ENTERS_ITSELF:
            await _check_entered(entered, service, spec)
        return service, manager

    return await within_start_timeout(enter, spec)


async def within_start_timeout(start: Callable[[], Awaitable[_T]], spec: ServiceSpec) -> _T:
    """Await what starts a service, and return the result.

    Raises:
        ServiceStartError: it raised, or took longer than the `start_timeout` of `spec`.
    """
    token = object()
    records = _Records(token)
    root = logging.getLogger()
    root.addHandler(records)
    reset = _starting.set(token)
    task = asyncio.current_task()
    stood: list[str] = []
    limit = Timeout(spec.start_timeout, lambda: stood.extend(_where_it_stands(task, token)))
    try:
        async with limit:
            return await start()
    except (DeclarationError, ServiceStartError) as error:
        if records.lines:
            error.add_note(_logged(records.lines))
        raise
    except Exception as error:  # noqa: BLE001 - the cause of the one that is raised
        cause = root_of(error)  # pytest shows no source for groups
        if not limit.expired():
            raise _not_started(spec, f"did not start: {summary(cause)}", (), records.lines) from cause
        late = f"was not ready within {spec.start_timeout:g} s"
        if not isinstance(error, TimeoutError):
            raise _not_started(spec, f"{late}, and then raised {summary(cause)}", stood, records.lines) from cause
        # The traceback of the timeout ends in asyncio. What counts is where the service stood, and what it adds.
        said: list[str] = getattr(error.__cause__, "__notes__", [])
        raise _not_started(spec, late, [*stood, *said], records.lines) from None
    finally:
        _starting.reset(reset)
        root.removeHandler(records)


async def _check_entered(entered: Any, service: Any, spec: ServiceSpec) -> None:
    if entered is not service:
        await service.__aexit__(None, None, None)
        what = f"__aenter__ returned {type(entered).__qualname__}, not the service itself"
        raise _broken(ServiceStartError, spec, what, "End __aenter__ with `return self`.")


def _where_it_stands(starting: "asyncio.Task[Any] | None", token: object) -> list[str]:
    """Return the suite's own lines at which a start waits, in its own task and in the tasks that it began."""
    found: list[str] = []
    for task in asyncio.all_tasks():
        context = context_of(task)
        if task is not starting and (context is None or context.get(_starting) is not token):
            continue
        if lines := suite_waits_at(task):
            who = "It" if task is starting else task.get_name()
            found.append("\n".join((f"{who} waited at", *lines)))
    return sorted(found)  # tasks come in no order


def _logged(lines: list[str]) -> str:
    return "It logged:\n" + textwrap.indent("\n".join(lines), "    ")


def _not_started(spec: ServiceSpec, what: str, known: Sequence[str], lines: list[str]) -> ServiceStartError:
    """Return the error of a failed start, with further details and with what the service logged."""
    details = [*known, _logged(lines)] if lines else known
    return ServiceStartError(f"Service {spec.cls.__qualname__} {what}.", [spec.party], "\n".join(details))


def _name_in(error: BaseException, spec: ServiceSpec) -> None:
    """Add the name of a service to an error that was raised while it stopped, unless the error contains the name."""
    name, location = spec.party
    parties = error.parties if isinstance(error, LooprigError) else ()
    if isinstance(error, Exception) and not any(party.partition(".")[0] == name for party, _ in parties):
        error.add_note(f"It was raised while the service {name} stopped.\n  {location}: {name}")


def _broken(
    kind: type[FixtureError] | type[ServiceStartError], spec: ServiceSpec, what: str, fix: str
) -> FixtureError | ServiceStartError:
    """Return an error for a service that breaks the rules of its lifecycle."""
    return kind(f"{spec.cls.__qualname__}.{what}.", [spec.party], fix)
