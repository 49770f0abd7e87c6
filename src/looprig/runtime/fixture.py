"""One instance of an async fixture, alive: the task that it lives in from set-up to teardown.

Does not know of pytest's caches: a crash is told to `on_crash`. A task group, timeout or cancel scope around the
fixture's `yield` works because one task enters and leaves it.

Invariants:
1. The owner task that is cancelled while parked at the `yield` hands the cancellation into the generator there.
2. If the generator then ends in an error, the fixture has crashed: the operation that needs it is cancelled and
   raises the crash. If it ends cleanly, that was an early teardown.
3. A crash is raised by whoever meets it first, and at teardown only if nobody did. It is never only logged.
4. Tasks that the fixture started and left are ended with it.
5. A teardown is never lost: where the loop was closed under the fixture, it runs on another one, and that is reported.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import suppress
from contextvars import Context, copy_context
from types import AsyncGeneratorType, MappingProxyType, TracebackType
from typing import Any, Final, cast, final

from looprig.exceptions import FixtureCrashedError, FixtureError, StuckTaskError
from looprig.location import Location
from looprig.runtime.context import Changes, changes_between
from looprig.runtime.errors import raise_together
from looprig.runtime.host import Host
from looprig.runtime.operation import GRACE, Limit, Resolver
from looprig.runtime.tasks import context_of

__all__ = ["LiveFixture"]

__tracebackhide__: Final = True  # what goes wrong in here is told by its message


def _current_task() -> Any:
    return asyncio.current_task()


@final
class LiveFixture:
    """`needs` are the live fixtures it depends on, directly or not."""

    # What most fixtures never come to stands on the class: one is made for every test that has fixtures.
    _before: Context | None = None
    _context: Context | None = None
    _generator: "AsyncGenerator[Any, None] | None" = None
    _is_ready: bool = False
    _is_noted: bool = True
    _is_released: bool = False
    _released: "asyncio.Future[None] | None" = None
    _task: "asyncio.Task[Any] | None" = None
    _value: Any = None
    changes: Changes = MappingProxyType({})
    crash: FixtureCrashedError | None = None
    on_crash: Callable[[FixtureCrashedError], None] | None = None
    reported: bool = False

    def __init__(self, host: Host, name: str, location: Location, needs: frozenset[object]) -> None:
        self.host: Host = host
        self.location: Location = location
        self.name: str = name
        self.needs: frozenset[object] = needs

    def __repr__(self) -> str:
        return f"<live fixture {self.name}>"

    def done(self) -> bool:
        """Return whether its set-up has come to an end: it is at its `yield`, or its task is over."""
        return self._is_ready or (self._task is not None and self._task.done())

    # Set-up

    def set_up(
        self,
        function: Callable[..., Any],
        kwargs: Mapping[str, Any],
        context: Context,
        limit: Limit | None = None,
        resolve: Resolver | None = None,
    ) -> Any:
        """Runs the fixture up to its `yield` (or to its end, if it has none) and gives its value."""
        self.begin(function, kwargs, context)
        return self.wait(limit, resolve)

    def begin(self, function: Callable[..., Any], kwargs: Mapping[str, Any], context: Context) -> None:
        """Makes the fixture's task, which runs whenever its loop does. `wait` gives what comes of it."""
        self._before = context.copy()  # as it is before the fixture changes it
        made: Any = function(**kwargs)
        # By its type first: to ask an abstract class takes longer.
        if type(made) is AsyncGeneratorType or isinstance(made, AsyncGenerator):
            self._released = self.host.loop.create_future()
            generator = self._generator = cast("AsyncGenerator[Any, None]", made)
            life: Coroutine[Any, Any, Any] = self._live(generator, self._released)
        else:
            life = self._once(made)
        # asyncio's own reports, of slow steps say, name a task by its coroutine.
        named: Any = life
        named.__name__ = named.__qualname__ = getattr(function, "__qualname__", self.name)
        self._task = self.host.make_task(life, context, self, f"fixture {self.name}")

    def wait(self, limit: Limit | None = None, resolve: Resolver | None = None) -> Any:
        """Runs the loop until the fixture is ready, and gives its value."""
        task = self._task
        assert task is not None
        try:
            self.host.drive(
                self,
                task,
                what=f"the set-up of fixture {self.name}",
                owner=self,
                needs=self.needs,
                limit=limit,
                resolve=resolve,
            )
            if task.done():
                task.result()  # it ended before or as soon as it was ready: an error counts
        except asyncio.CancelledError as cancelled:
            error = FixtureError(
                f"Fixture {self.name} was cancelled while it was set up.",
                [(self.name, self.location)],
                "Let no task cancel the fixture's own task, or catch the cancellation in the fixture.",
            )
            self._unwind(error)
            raise error from cancelled
        except BaseException as error:
            self._unwind(error)
            raise
        if self._context is not None and self._before is not None:
            self.changes = changes_between(self._before, self._context)
        self._is_noted = self.host.is_noting
        # Contexts know their owner: to keep them would make a cycle of each fixture, for the garbage collector to find.
        self._before = self._context = None
        return self._value

    def _unwind(self, error: BaseException) -> None:
        """The set-up failed: ends all that it started, the fixture's own task too if that has come to its yield."""
        self.reported = True
        try:
            self.host.end_tasks_of(self, self._task)
        except StuckTaskError as stuck:
            error.add_note(str(stuck))

    async def _once(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._value = await coroutine
        self._context = copy_context()

    async def _live(self, generator: AsyncGenerator[Any, None], released: "asyncio.Future[None]") -> None:
        try:
            try:
                self._value = await anext(generator)
            except StopAsyncIteration:
                raise FixtureError(
                    f"Fixture {self.name} ended without a yield.",
                    [(self.name, self.location)],
                    "Yield a value on every way through the fixture.",
                ) from None
            self._context = copy_context()
            self._is_ready = True
            self.host.stop()
            # Code under test that cancels all tasks, as many programs do to end, means its own.
            task = _current_task()
            asyncio._unregister_task(task)  # noqa: SLF001 - documented for those who extend asyncio
            try:
                await released
            except asyncio.CancelledError as cancelled:
                step = generator.athrow(cancelled)
            else:
                step = anext(generator)
            finally:
                asyncio._register_task(task)  # noqa: SLF001 - as above
            try:
                await step
            except StopAsyncIteration:
                return
            await generator.aclose()
            raise FixtureError(  # noqa: TRY301 - told in the same way as what the fixture raises
                f"Fixture {self.name} yielded twice.",
                [(self.name, self.location)],
                "A fixture yields once: what comes after the yield is its teardown.",
            )
        except BaseException as error:
            # Outcomes as of pytest.fail are no Exceptions, nor are the groups that a task group makes of them.
            if not self._is_ready or self._is_released or isinstance(error, GeneratorExit):
                raise
            # In use, neither being set up nor torn down: nobody awaits this task, so somebody has to be told.
            self._crash(error)

    # The end, wanted or not

    def _crash(self, error: BaseException) -> None:
        root = _root(error)
        crash = self.crash = FixtureCrashedError(
            f"Fixture {self.name} crashed while it was in use: {_shown(root)}",
            [(self.name, self.location)],
            "The error above is what ended it.",
        )
        # A group of one is what a task group makes of any error. pytest shows the source of what is no group.
        crash.__cause__ = root
        crash.with_traceback(self._where_it_stood(error))
        for operation in self.host.operations():
            if self in operation.needs:
                self.reported = True
                operation.cancel(crash)
        if self.on_crash is not None:
            self.on_crash(crash)

    def _where_it_stood(self, error: BaseException) -> TracebackType | None:
        """The line of the fixture that an error passed: what lies below it, in a task group say, explains nothing."""
        entry, stood = error.__traceback__, None
        while entry is not None:
            if entry.tb_frame.f_code.co_filename == self.location.path:
                stood = TracebackType(None, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
            entry = entry.tb_next
        return stood or error.__traceback__

    def tear_down(self, limit: Limit | None = None) -> None:
        """Let the fixture run from its `yield` to its end, then end the tasks it left.

        A `limit` leaves it a few seconds even if the time has passed.

        Raises what the fixture raises; its crash, if nobody met that yet; several as an ExceptionGroup.
        """
        self._is_released = True
        if self.host.loop.is_closed():
            errors = self._end_without_loop(limit)
        else:
            errors = self._end(limit)
            try:
                # It may have had a task factory of its own, up to now.
                self.host.end_tasks_of(self, self._task, search=not self._is_noted)
            except Exception as error:  # noqa: BLE001 - raised with the others
                errors.append(error)
        self._task = self._generator = self.on_crash = None
        raise_together(errors, f"errors while tearing down fixture {self.name}")

    def _end(self, limit: Limit | None) -> list[BaseException]:
        task, released = self._task, self._released
        if task is None or released is None:  # a fixture without a yield
            return []
        try:
            if not self._is_ready:
                task.cancel()  # nobody waited for it: it began beside another that failed
            elif not released.done():
                released.set_result(None)
            if not task.done():
                what = f"the teardown of fixture {self.name}"
                self.host.drive(task, task, what=what, owner=self, limit=limit, at_least=GRACE)
            if self.crash is None:
                task.result()
            elif not self.reported:
                return [self.crash]
        except asyncio.CancelledError as cancelled:
            if self._is_ready:
                error = FixtureError(
                    f"Fixture {self.name} was cancelled while it was torn down.",
                    [(self.name, self.location)],
                    "Let no task cancel the fixture's own task.",
                )
                error.__cause__ = cancelled
                return [error]
        except BaseException as error:  # noqa: BLE001 - the tasks it left are ended first
            return [error]
        return []

    def _end_without_loop(self, limit: Limit | None) -> list[BaseException]:
        """Run the teardown of a fixture whose loop was closed, as far as it can run on another loop."""
        task, generator = self._task, self._generator
        if task is None or generator is None or task.done():
            return []
        culprit = self.host.closed_by
        by = "" if culprit is None else f" by {culprit[0]}"
        closed = FixtureError(
            f"The loop of fixture {self.name} was closed{by} before the fixture was torn down.",
            [(self.name, self.location), *([] if culprit is None else [culprit])],
            "Don't close the loop: looprig does so after its last fixture. The teardown has been run on another loop.",
        )
        never_ends: Any = task
        never_ends._log_destroy_pending = False  # noqa: SLF001 - asyncio's own way to say that nobody has to be told
        errors: list[BaseException] = [closed]
        other = Host.open()
        try:
            other.run(
                _finish(generator),
                what=f"the teardown of fixture {self.name}",
                context=context_of(task),
                limit=limit or Limit(GRACE, lambda what: TimeoutError(f"{what} did not end without its loop")),
            )
        except BaseException as error:  # noqa: BLE001 - raised with the others
            errors.append(error)
        never_ends.get_coro().close()
        try:
            other.close(self)
        except Exception as error:  # noqa: BLE001 - as above
            errors.append(error)
        return errors


async def _finish(generator: AsyncGenerator[Any, None]) -> None:
    with suppress(StopAsyncIteration):
        await anext(generator)
        await generator.aclose()


def _shown(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return "CancelledError: its task was cancelled from outside"
    return f"{type(error).__name__}: {error}"


def _root(error: BaseException) -> BaseException:
    """The one error in a group, and in groups in it: a task group wraps each error so."""
    members: tuple[BaseException, ...] = getattr(error, "exceptions", ())
    # By its class, since narrowing would make it a group of nobody knows what.
    is_group = issubclass(type(error), BaseExceptionGroup)
    return _root(members[0]) if is_group and len(members) == 1 else error
