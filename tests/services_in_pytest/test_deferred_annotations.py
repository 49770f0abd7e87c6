"""Names for type checkers only, in deferred annotations: only the annotation that uses such a name is lost.

Annotations are deferred by `from __future__ import annotations`, and always from Python 3.14 on.
"""

import sys
from textwrap import dedent

import pytest

from tests.plugin.suite import output, run

HEAD = """
    from dataclasses import dataclass
    from typing import TYPE_CHECKING, Annotated, ClassVar

    import pytest
    from looprig import Fixture, ProcessService, Proxy, TcpService, TestClient, Through, proxy_fixture, service_fixture

    if TYPE_CHECKING:
        from nowhere import Missing

    class Life:
        url = "http://127.0.0.1:1"
        def start(self) -> Missing: ...
        def stop(self) -> Missing: ...
        async def start(self): ...
        async def stop(self): ...

    @service_fixture(scope="module")
    class Db(Life): ...

    @service_fixture(scope="module")
    class Rest(Life): ...
"""


@pytest.fixture(
    params=[
        pytest.param("    from __future__ import annotations\n", id="as texts"),
        pytest.param(
            "",
            id="deferred",
            marks=pytest.mark.skipif(sys.version_info < (3, 14), reason="evaluated where they are written"),
        ),
    ]
)
def head(request: pytest.FixtureRequest) -> str:
    first: str = request.param
    return first + HEAD


def test_the_other_parameters_of_a_test_are_answered(pytester: pytest.Pytester, head: str) -> None:
    """Even if the name is inside another annotation, or is the test's return type."""
    result = run(
        pytester,
        head
        + """
    @pytest.fixture
    def given(): return "given"
    @pytest.fixture
    async def waited(): return "waited"

    async def test_it(store: Db, given: Missing, waited: list[Missing], api: TestClient[Rest]) -> Missing:
        assert isinstance(store, Db)
        assert isinstance(api.service, Rest)
        assert (given, waited) == ("given", "waited")

    def test_sync(given: Missing, store: Db) -> Missing:
        assert isinstance(store, Db)

    class TestThings:
        async def test_method(self, given: Missing, store: Db) -> None:
            assert isinstance(store, Db)
    """,
    )
    result.assert_outcomes(passed=3)


def test_the_other_parameters_of_a_fixture_are_answered(pytester: pytest.Pytester, head: str) -> None:
    result = run(
        pytester,
        head
        + """
    @pytest.fixture
    def given(): return "given"
    @pytest.fixture
    def plain(store: Db, given: Missing) -> Missing: return store
    @pytest.fixture
    async def waits(store: Db, given: Missing) -> Missing: return store
    @pytest.fixture
    async def yields(given: Missing | None, store: Db) -> AsyncIterator[Missing]: yield store

    async def test_it(plain: Missing, waits: Missing, yields: Missing, store: Db):
        assert plain is waits is yields is store
    """,
    )
    result.assert_outcomes(passed=1)


def test_the_other_fields_of_a_service_are_filled(pytester: pytest.Pytester, head: str) -> None:
    result = run(
        pytester,
        head
        + """
    @pytest.fixture
    def dsn(): return "dsn"
    @pytest.fixture
    def other(): return "other"

    @service_fixture
    @dataclass(kw_only=True)
    class Worker(Life):
        shared: ClassVar[Missing] = 1
        db: Db
        dsn: Missing
        named: Annotated[str, Fixture("other")]
        size: Missing = 4
        later: Later

    @service_fixture
    class Later(Life): ...

    async def test_it(worker: Worker):
        assert isinstance(worker.db, Db) and isinstance(worker.later, Later)
        assert (worker.dsn, worker.named, worker.size) == ("dsn", "other", 4)
    """,
    )
    result.assert_outcomes(passed=1)


def test_the_lifecycle_of_a_service_is_seen(pytester: pytest.Pytester, head: str) -> None:
    result = run(
        pytester,
        head
        + """
    @service_fixture
    class Runs:
        async def run(self) -> AsyncIterator[Missing]:
            yield
    @service_fixture
    class Delegates:
        def start(self, much: Missing = None) -> Awaitable[Missing]: return self._nothing()
        def stop(self) -> Awaitable[Missing]: return self._nothing()
        async def _nothing(self): ...

    async def test_it(runs: Runs, delegates: Delegates): ...
    """,
    )
    result.assert_outcomes(passed=1)


def test_a_parameter_that_nothing_answers_is_told_with_its_annotation(pytester: pytest.Pytester, head: str) -> None:
    result = run(
        pytester,
        head
        + """
    async def test_it(store: Db, api: TestClient[Missing]): ...
    """,
    )
    assert result.ret != 0
    told = " ".join(output(result).split())
    assert "test_it asks for 'api', but there is no such fixture." in told
    assert "api is annotated with TestClient[Missing], which does not exist at run time" in told


SERVICES = """
from dataclasses import dataclass
from looprig import Proxy, TcpService, proxy_fixture, service_fixture

@service_fixture
@dataclass(kw_only=True)
class Rest(TcpService):
    url = "http://127.0.0.1:1"
    async def handle(self, reader, writer): ...

@proxy_fixture
class Slow(Proxy[Rest]): ...
"""


def test_a_service_for_checkers_only_is_found_by_its_name(pytester: pytest.Pytester) -> None:
    """By that of its module too, and whatever else of looprig is there for checkers only."""
    pytester.makepyfile(services=SERVICES, conftest="from services import Rest, Slow")
    result = run(
        pytester,
        """
    from __future__ import annotations
    from typing import TYPE_CHECKING

    if TYPE_CHECKING:
        from typing import Annotated
        import looprig
        import services
        from looprig import Proxy, TestClient, Through
        from services import Rest, Slow

    async def test_service(a: Rest): assert a.url
    async def test_client(a: TestClient[Rest]): assert a.service.url
    async def test_modules(a: looprig.TestClient[services.Rest]): assert a.service.url
    async def test_optional(a: TestClient[Rest] | None): assert a.service.url
    async def test_proxy(a: Proxy[Rest]): assert type(a).__name__ == "Slow"
    async def test_through(a: Annotated[Rest, Through(Slow)]): assert "127.0.0.1" in a.url
    """,
        "-o",
        "pythonpath=.",
    )
    result.assert_outcomes(passed=6)


def test_one_that_the_file_cannot_see_is_not_found(pytester: pytest.Pytester) -> None:
    """It would be found only if the other file was collected first. Neither is one of two that have the name."""
    pytester.makepyfile(
        **{
            "services": SERVICES,
            "others": SERVICES,
            "folder/conftest": "from others import Rest as One\nfrom services import Rest as Other",
            "test_a": "from services import Rest\nasync def test_it(rest: Rest): ...",
            "test_b": (
                "from __future__ import annotations\n"
                "async def test_it(a: TestClient[Rest]): ...\n"
                "async def test_starlette(a: TestClient): ...\n"
            ),
            "folder/test_c": "async def test_it(a: 'Rest'): ...",
        }
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-o", "pythonpath=.", "-q")
    result.assert_outcomes(passed=1, errors=3)
    shown = output(result)
    assert "a is annotated with TestClient[Rest], which does not exist at run time" in shown
    assert "a is annotated with TestClient, which does not exist at run time" in shown
    assert "a is annotated with Rest, which does not exist at run time" in shown


def test_a_string_inside_an_annotation_is_evaluated(pytester: pytest.Pytester) -> None:
    """In the parameters of tests and fixtures, and in fields."""
    pytester.makepyfile(services=SERVICES)
    result = run(
        pytester,
        """
    from dataclasses import dataclass
    from typing import Annotated, Optional

    import pytest
    from looprig import Proxy, TestClient, Through, service_fixture
    from services import Rest, Slow

    async def test_client(a: TestClient["Rest"]): assert a.service.url
    async def test_proxy(a: Proxy["Rest"]): assert isinstance(a, Slow)
    async def test_client_of_proxy(a: TestClient[Proxy["Rest"]]): assert isinstance(a.service, Slow)
    async def test_optional(a: Optional[TestClient["Rest"]]): assert a.service.url
    async def test_through(a: Annotated["Rest", Through()]): assert a.url
    async def test_twice(a: "TestClient['Rest']"): assert a.service.url

    @pytest.fixture
    async def given(a: TestClient["Rest"]): return a
    async def test_fixture(given): assert given.service.url

    @service_fixture
    @dataclass(kw_only=True)
    class User:
        proxy: Proxy["Rest"]
        rest: Annotated[Optional["Rest"], Through(Slow)] = None
        async def run(self): yield
    async def test_fields(user: User):
        assert isinstance(user.proxy, Slow) and user.rest

    async def test_wrong(a: TestClient["Missing"]): ...
    async def test_wrong_inside(a: Annotated["Missing", Through()]): ...
    """,
        "-o",
        "pythonpath=.",
    )
    result.assert_outcomes(passed=8, errors=2)
    shown = output(result)
    assert "a is annotated with TestClient[Missing], which does not exist at run time" in shown
    assert "a is annotated with Annotated[Missing, Through(proxy=None)], which does not exist at run time" in shown


def test_a_field_that_nothing_answers_is_told(pytester: pytest.Pytester, head: str) -> None:
    result = run(
        pytester,
        head
        + """
    @service_fixture
    @dataclass
    class Worker(Life):
        dsn: Missing
    async def test_it(worker: Worker): ...
    """,
    )
    assert result.ret != 0
    told = " ".join(output(result).split())
    assert "Worker.dsn has no value" in told
    assert "its annotation cannot be resolved at run time" in told
    assert "Import the type of dsn outside of `if TYPE_CHECKING`" in told


def test_a_parametrized_test_keeps_its_other_parameters(pytester: pytest.Pytester, head: str) -> None:
    result = run(
        pytester,
        head
        + """
    @pytest.mark.parametrize("thing", [1, 2])
    async def test_it(thing: Missing, store: Db):
        assert isinstance(store, Db)
    """,
    )
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_fixture_types_are_checked_with_them(pytester: pytest.Pytester, head: str, checker: str) -> None:
    pytest.importorskip(checker)
    pytester.makepyfile(nowhere="class Missing: ...\nclass Other: ...\n")
    suite = (
        head
        + """
    if TYPE_CHECKING:
        from nowhere import Other

    @pytest.fixture
    def thing() -> Missing: raise NotImplementedError

    def test_right(thing: Missing, store: Db) -> None: ...
    def test_wrong(thing: Other, store: Db) -> None: ...
    """
    )
    result = run(pytester, dedent(suite), f"--check-fixtures={checker}")
    told = output(result)
    assert "test_wrong" in told
    assert "1 finding" in told
