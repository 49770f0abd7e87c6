"""A live instance of an async fixture, with the task that runs it from set-up to teardown.

Does not know pytest's caches: `on_crash` is called with a crash, and `on_retired` for a value that was ended. A task
group, timeout or cancel scope around the fixture's `yield` works because the same task enters and leaves it.

Invariants:
1. If the fixture's task is cancelled while it waits at the `yield`, the cancellation is thrown into the generator
   there.
2. If the generator then raises, the fixture has crashed: operations that need it are cancelled and raise the crash. If
   the generator ends without an error, that was an early teardown.
3. A crash is raised by the first test or fixture that it affects, or else at teardown. It is never only logged.
4. Tasks that the fixture started and left running are ended with it.
5. A test may end a fixture's value on purpose, for example by closing it. The fixture is then retired: that test
   continues, and later tests that request the fixture get an error with the reason, unless the test revives it. The
   teardown runs as usual.
6. A teardown is never skipped. If the loop was closed too early, the teardown runs on another one, and that is
   reported.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import suppress
from contextvars import Context, copy_context
from types import AsyncGeneratorType, MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Final, cast, final

from looprig.exceptions import FixtureCrashedError, FixtureError, LooprigError, StuckTaskError, summary
from looprig.runtime.context import Changes, changes_between
from looprig.runtime.errors import raise_together, root_of
from looprig.runtime.host import Host
from looprig.runtime.limit import Limit
from looprig.runtime.operation import GRACE, Resolver
from looprig.runtime.tasks import context_of

if TYPE_CHECKING:
    from looprig.location import Location

__all__ = ["LiveFixture"]

__tracebackhide__: Final = True  # an error's message explains it; these frames add nothing


def _current_task() -> Any:
    return asyncio.current_task()


@final
class LiveFixture:
    """A live fixture. `needs` are the live fixtures that it depends on, directly or indirectly."""

    # Defaults are on the class, since most fixtures never change them and tests create many fixtures.
    _before: Context | None = None
    _context: Context | None = None
    _generator: AsyncGenerator[Any, None] | None = None
    _is_ready: bool = False
    _is_noted: bool = True
    _is_released: bool = False
    _released: asyncio.Future[None] | None = None
    _task: asyncio.Task[Any] | None = None
    _value: Any = None
    changes: Changes = MappingProxyType({})
    crash: FixtureCrashedError | None = None
    on_crash: Callable[[FixtureCrashedError], None] | None = None
    on_retired: Callable[[], None] | None = None
    on_revived: Callable[[], None] | None = None
    retired: LooprigError | None = None
    reported: bool = False

    def __init__(self, host: Host, name: str, location: Location, needs: frozenset[object]) -> None:
        self.host: Host = host
        self.location: Location = location
        self.name: str = name
        self.needs: frozenset[object] = needs

    def __repr__(self) -> str:
        return f"<live fixture {self.name}>"

    @property
    def is_over(self) -> bool:
        """Whether the teardown has begun."""
        return self._is_released

    def held(self) -> tuple[object, ...]:
        """Return the objects through which the fixture holds what belongs to it."""
        return self._value, self._generator, self._task

    def done(self) -> bool:
        """Return whether the set-up has ended, because the fixture has reached its `yield`, or its task is done."""
        return self._is_ready or (self._task is not None and self._task.done())

    # Set-up

    def begin(self, function: Callable[..., Any], kwargs: Mapping[str, Any], context: Context) -> None:
        """Create the fixture's task, which runs whenever its loop does. `wait` returns the fixture's value."""
        self._before = context.copy()  # before the fixture changes it
        made: Any = function(**kwargs)
        # Check the exact type first, since checking an abstract class is slower.
        if type(made) is AsyncGeneratorType or isinstance(made, AsyncGenerator):
            self._released = self.host.loop.create_future()
            generator = self._generator = cast("AsyncGenerator[Any, None]", made)
            life: Coroutine[Any, Any, Any] = self._live(generator, self._released)
        else:
            life = self._once(made)
        # asyncio's own reports, for example about slow steps, show the name of a task's coroutine.
        named: Any = life
        named.__name__ = named.__qualname__ = getattr(function, "__qualname__", self.name)
        self._task = self.host.make_task(life, context, self, f"fixture {self.name}")

    def wait(self, limit: Limit | None = None, resolve: Resolver | None = None) -> Any:
        """Run the loop until the fixture is ready, and return its value."""
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
                task.result()  # raises if the task failed before it was ready, or right afterwards
        except asyncio.CancelledError as cancelled:
            error = FixtureError(
                f"Fixture {self.name} was cancelled during its set-up.",
                [(self.name, self.location)],
                "Catch the cancellation in the fixture, or don't cancel the fixture's own task.",
            )
            self._unwind(error)
            raise error from cancelled
        except BaseException as error:
            self._unwind(error)
            raise
        if self._context is not None and self._before is not None:
            self.changes = changes_between(self._before, self._context)
        self._is_noted = self.host.is_noting
        # The contexts refer to the fixture as their owner. Keeping them would create a reference cycle.
        self._before = self._context = None
        return self._value

    def _unwind(self, error: BaseException) -> None:
        """End all tasks of a fixture whose set-up failed, including its own task if that has reached the yield."""
        self.reported = True
        try:
            self.host.end_tasks_of(self, self._task)
        except StuckTaskError as stuck:
            error.add_note(str(stuck))

    async def _once(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._value = await coroutine
        self._context = copy_context()

    async def _live(self, generator: AsyncGenerator[Any, None], released: asyncio.Future[None]) -> None:
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
            # As in `tasks.hidden`, without the context manager's cost for each fixture.
            task = _current_task()
            asyncio._unregister_task(task)  # noqa: SLF001 - documented for those who extend asyncio
            try:
                await released
            except asyncio.CancelledError as cancelled:
                if not self._is_released:
                    self.host.ending_early[self] = task
                step = generator.athrow(cancelled)
            else:
                step = anext(generator)
            finally:
                asyncio._register_task(task)  # noqa: SLF001 - documented for those who extend asyncio
            try:
                await step
            except StopAsyncIteration:
                return
            await generator.aclose()
            raise FixtureError(  # noqa: TRY301 - handled like an error that the fixture raises
                f"Fixture {self.name} yielded twice.",
                [(self.name, self.location)],
                "A fixture yields once; the code after the yield is its teardown.",
            )
        except BaseException as error:
            # BaseException, since the outcomes of pytest.fail and others, and task groups of them, aren't Exceptions.
            if not self._is_ready or self._is_released or isinstance(error, GeneratorExit):
                raise
            # The fixture is neither in set-up nor in teardown, so nothing else would report the error.
            self._crash(error)
        finally:
            self.host.ending_early.pop(self, None)

    # The end, intended or not

    def retire(self, reason: LooprigError) -> None:
        """Make all further requests for the fixture raise `reason`, since its value has been ended on purpose."""
        with suppress(LooprigError):
            raise reason  # raised to give it a traceback, without which pytest would show its own frames
        is_first, self.retired = self.retired is None, reason
        if is_first and self.on_retired is not None:
            self.on_retired()

    def revive(self) -> None:
        """Undo `retire`, since the value can be used again."""
        self.retired = None
        revived, self.on_revived = self.on_revived, None
        if revived is not None:
            revived()

    def _crash(self, error: BaseException) -> None:
        root = root_of(error)
        crash = self.crash = FixtureCrashedError(
            f"Fixture {self.name} crashed while it was in use: {_shown(root)}",
            [(self.name, self.location)],
            "The error above is the cause.",
        )
        # A task group wraps even a single error in a group. Unwrap it, since pytest shows no source for groups.
        crash.__cause__ = root
        crash.with_traceback(self._where_it_stood(error))
        for operation in self.host.operations():
            if self in operation.needs:
                self.reported = True
                operation.cancel(crash)
        if self.on_crash is not None:
            self.on_crash(crash)

    def _where_it_stood(self, error: BaseException) -> TracebackType | None:
        """Return a traceback that ends in the fixture's own file, without deeper frames, as those of a task group."""
        entry, stood = error.__traceback__, None
        while entry is not None:
            if entry.tb_frame.f_code.co_filename == self.location.path:
                stood = TracebackType(None, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
            entry = entry.tb_next
        return stood or error.__traceback__

    def tear_down(self, limit: Limit | None = None) -> None:
        """Run the fixture from its `yield` to its end, then end the tasks that it left running.

        It gets `GRACE` seconds even if the time of `limit` has already passed.

        Raises the fixture's error, and its crash if that was not reported yet. Several errors become an ExceptionGroup.
        """
        self._is_released = True
        if self.host.loop.is_closed():
            errors = self._end_without_loop(limit)
        else:
            errors = self._end(limit)
            try:
                # The fixture may have replaced the task factory, so search even if ours is back.
                self.host.end_tasks_of(self, self._task, search=not self._is_noted)
            except Exception as error:  # noqa: BLE001 - raised with the others
                errors.append(error)
        self._task = self._generator = self.on_crash = self.on_retired = self.on_revived = None
        raise_together(errors, f"errors while tearing down fixture {self.name}")

    def _end(self, limit: Limit | None) -> list[BaseException]:
        task, released = self._task, self._released
        if task is None or released is None:  # a fixture without a yield
            return []
        try:
            if not self._is_ready:
                task.cancel()  # it was started together with another fixture that failed, so nothing waited for it
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
                    f"Fixture {self.name} was cancelled during its teardown.",
                    [(self.name, self.location)],
                    "Don't cancel the fixture's own task.",
                )
                error.__cause__ = cancelled
                return [error]
        except BaseException as error:  # noqa: BLE001 - raised after the tasks that it left were ended
            return [error]
        return []

    def _end_without_loop(self, limit: Limit | None) -> list[BaseException]:
        """Run the teardown on another loop, as far as that works, since the fixture's own loop was closed."""
        task, generator = self._task, self._generator
        if task is None or generator is None or task.done():
            return []
        culprit = self.host.closed_by
        by = "" if culprit is None else f" by {culprit[0]}"
        closed = FixtureError(
            f"The loop of fixture {self.name} was closed{by} before the fixture was torn down.",
            [(self.name, self.location), *([] if culprit is None else [culprit])],
            "Don't close the loop: looprig closes it after its last fixture. The teardown was run on another loop.",
        )
        never_ends: Any = task
        never_ends._log_destroy_pending = False  # noqa: SLF001 - asyncio does the same to avoid a report
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
        except Exception as error:  # noqa: BLE001 - raised with the others
            errors.append(error)
        return errors


async def _finish(generator: AsyncGenerator[Any, None]) -> None:
    with suppress(StopAsyncIteration):
        await anext(generator)
        await generator.aclose()


def _shown(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return "CancelledError: its task was cancelled from outside"
    return summary(error)
