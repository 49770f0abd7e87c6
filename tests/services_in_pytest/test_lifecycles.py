"""A class with any of the three lifecycles is a service, inherited or its own."""

import pytest

from tests.plugin.suite import output, run

HEAD = """
    import asyncio
    import contextlib
    from abc import ABC, abstractmethod
    from collections.abc import AsyncIterator
    from dataclasses import dataclass, field
    from typing import Generic, TypeVar

    import pytest
    from looprig import service_fixture

    told = []
    T = TypeVar("T")

    class Started:
        async def start(self):
            told.append(f"{type(self).__name__} starts")
        async def stop(self):
            told.append(f"{type(self).__name__} stops")
"""


def test_three_lifecycles(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    @service_fixture
    class Plain(Started): ...

    @service_fixture()
    class Runs:
        async def run(self):
            told.append("Runs starts")
            yield
            told.append("Runs stops")

    @service_fixture(scope="function")
    class Enters:
        async def __aenter__(self):
            told.append("Enters starts")
            return self
        async def __aexit__(self, kind, error, traceback):
            told.append("Enters stops")
            assert (kind, error, traceback) == (None, None, None)

    async def test_all(plain, runs, enters):
        assert isinstance(plain, Plain) and isinstance(runs, Runs) and isinstance(enters, Enters)
        assert sorted(told) == ["Enters starts", "Plain starts", "Runs starts"]

    def test_stopped():
        assert sorted(told[3:]) == ["Enters stops", "Plain stops", "Runs stops"]
    """,
    )
    result.assert_outcomes(passed=2)


def test_a_lifecycle_from_a_base_class(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    class Base(ABC):
        @abstractmethod
        async def work(self) -> int: ...
        async def run(self) -> AsyncIterator[None]:
            self.done = await self.work()
            yield

    @service_fixture
    @dataclass(kw_only=True)
    class Worker(Base):
        number: int = 3
        async def work(self) -> int:
            return self.number * 2

    class Mixin:
        async def __aenter__(self):
            return self
        async def __aexit__(self, *error):
            pass

    @service_fixture
    @dataclass
    class Mixed(Mixin, Started):
        pass

    async def test_base(worker: Worker, mixed: Mixed):
        assert worker.done == 6
        assert told == ["Mixed starts"], "start and stop go before a context manager"
    """,
    )
    result.assert_outcomes(passed=1)


def test_run_goes_before_start_and_stop_unless_it_is_no_generator(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    @service_fixture
    class Both(Started):
        async def run(self):
            told.append("runs")
            yield

    @service_fixture
    class Job(Started):
        async def run(self):
            return "a result"

    async def test_which(both, job):
        assert told == ["runs", "Job starts"] or told == ["Job starts", "runs"]
        assert await job.run() == "a result"
    """,
    )
    result.assert_outcomes(passed=1)


def test_a_run_behind_a_decorator_or_a_plain_function_that_gives_a_generator(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    import functools

    def traced(function):
        @functools.wraps(function)
        def call(*args):
            told.append("traced")
            return function(*args)
        return call

    @service_fixture
    class Decorated:
        @traced
        async def run(self):
            yield

    @service_fixture
    class Hands:
        def run(self) -> AsyncIterator[None]:
            return self._run()
        async def _run(self):
            told.append("runs")
            yield
            told.append("ran")

    async def test_both(decorated, hands):
        assert sorted(told) == ["runs", "traced"]

    def test_after():
        assert told[-1] == "ran"
    """,
    )
    result.assert_outcomes(passed=2)


def test_a_generic_service_and_what_a_subclass_makes_of_it(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    @service_fixture(scope="module")
    class Postgres(Started): ...

    @service_fixture
    @dataclass
    class Box(Started, Generic[T]):
        items: list[T] = field(default_factory=list)

    @dataclass
    class Repository(Started, Generic[T]):
        db: T
        box: Box[int]

    @service_fixture
    @dataclass
    class Users(Repository[Postgres]): ...

    async def test_generic(users: Users, box: Box[int], postgres: Postgres):
        assert users.db is postgres
        assert users.box is box
    """,
    )
    result.assert_outcomes(passed=1)


def test_a_task_group_and_a_timeout_around_the_yield(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    @service_fixture(scope="module")
    @dataclass
    class Grouped:
        beats: int = 0
        async def run(self):
            async with asyncio.timeout(30), asyncio.TaskGroup() as group:
                beating = group.create_task(self.beat())
                yield
                beating.cancel()
            told.append("group left")
        async def beat(self):
            while True:
                self.beats += 1
                await asyncio.sleep(0)

    async def test_beats(grouped):
        seen = grouped.beats
        while grouped.beats < seen + 3:
            await asyncio.sleep(0)

    async def test_beats_on(grouped):
        assert grouped.beats > 3
    """,
    )
    result.assert_outcomes(passed=2)
    assert "never awaited" not in output(result)


def test_state_is_made_anew_with_each_instance(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    @service_fixture
    @dataclass
    class Queue(Started):
        items: list[str] = field(default_factory=list, init=False)

    @pytest.mark.parametrize("number", range(2))
    async def test_empty(queue, number):
        assert queue.items == []
        queue.items.append("x")
    """,
    )
    result.assert_outcomes(passed=2)


LIVES = {
    "start and stop": """
        async def start(self): ...
        async def stop(self): raise KeyError("END")
    """,
    "run": """
        async def run(self):
            yield
            raise KeyError("END")
    """,
    "aenter": """
        async def __aenter__(self): return self
        async def __aexit__(self, *_): raise KeyError("END")
    """,
}


@pytest.mark.parametrize("life", LIVES.values(), ids=LIVES)
def test_an_error_of_the_stop_names_the_service(pytester: pytest.Pytester, life: str) -> None:
    result = run(
        pytester,
        f"""
    from looprig import service_fixture

    @service_fixture(scope="session")
    class Broker:{life}
    async def test_it(broker): ...
    def test_innocent(): ...
    """,
    )
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.re_match_lines([r"E +It was raised while the service Broker stopped\.", r"E +test_it\.py:4: Broker"])
