"""A parameter is matched by its name, then by its annotation, and checked against the annotation."""

import pytest

from tests.plugin.suite import output, run, run_apart
from tests.services_in_pytest.folders import put

HEAD = """
    from collections.abc import AsyncIterator
    from dataclasses import dataclass
    from typing import Annotated, Any, Protocol

    import pytest
    from looprig import TestClient, service_fixture

    class Life:
        url = "http://127.0.0.1:1"
        async def start(self): ...
        async def stop(self): ...

    @service_fixture(scope="module")
    class Db(Life): ...

    @service_fixture(scope="module")
    class Rest(Life): ...

    @service_fixture
    class Small(Rest): ...
"""


def test_tests_and_fixtures_of_every_kind(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    @pytest.fixture
    def plain(store: Db): return store
    @pytest.fixture
    async def waits(store: "Db"): return store
    @pytest.fixture(scope="module")
    async def wide(store: Db) -> AsyncIterator[Db]: yield store

    class Base:
        @pytest.fixture
        def inherited(self, store: Db): return store

    class TestClass(Base):
        @pytest.fixture
        def own(self, other: Db): return other
        async def test_method(self, own, inherited, db, some: Annotated[Rest, "of note"], rest):
            assert own is inherited is db and some is rest
        @staticmethod
        async def test_static(it: Db, db): assert it is db
        @classmethod
        async def test_class(cls, it: Db, db): assert it is db

    async def test_function(plain, waits, wide, db, anything: Db, client: TestClient[Rest], rest):
        assert plain is waits is wide is db is anything
        assert client.service is rest

    def test_sync(anything: Rest, rest): assert anything is rest
    """,
    )
    result.assert_outcomes(passed=5)


def test_a_name_goes_before_an_annotation(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    @pytest.fixture
    def mine() -> Db: return "of the suite"

    async def test_by_name(mine: Db): assert mine == "of the suite"

    @pytest.mark.parametrize("rest", ["given"])
    async def test_parametrized(rest): assert rest == "given"

    @pytest.mark.parametrize("rest", [3])
    async def test_parametrized_with_another_type(rest: int): assert rest == 3

    class Tiny(Small): ...
    @pytest.mark.parametrize("it", [Tiny()])
    async def test_parametrized_with_a_subclass(it: Tiny): assert type(it) is Tiny

    @pytest.fixture
    def seeded(it: Db): return it
    async def test_seeded(seeded): assert type(seeded) is Db
    @pytest.mark.parametrize("it", [3])
    async def test_parametrized_under_a_name_that_a_fixture_answered(it: int): assert it == 3

    @pytest.mark.parametrize("other", [3])
    async def test_parametrized_with_annotation(other: Db): assert other == 3
    """,
    )
    result.assert_outcomes(passed=7)


def test_one_name_may_mean_another_service_in_each_test(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    async def test_1(it: Db): assert type(it) is Db
    async def test_2(it: Rest): assert type(it) is Rest
    async def test_3(it: Db): assert type(it) is Db
    async def test_4(it: TestClient[Rest]): assert type(it.service) is Rest
    async def test_5(it: Small): assert type(it) is Small
    async def test_6(it: Rest): assert type(it) is Rest
    async def test_7(it: TestClient[Small]): assert type(it.service) is Small
    async def test_8(it: TestClient[Rest]): assert type(it.service) is Rest
    """,
    )
    result.assert_outcomes(passed=8)


def test_a_fixture_keeps_what_it_means_by_a_name_that_tests_use_for_others(pytester: pytest.Pytester) -> None:
    put(
        pytester,
        {
            "services.py": HEAD,
            "conftest.py": """
                import pytest
                from services import Db, TestClient, Rest
                @pytest.fixture
                def seeded(it: Db): return it
                @pytest.fixture
                async def asked(api: TestClient[Rest]): return api
                @pytest.fixture
                async def through(asked): return asked
            """,
            "test_it.py": """
                import pytest
                from services import Db, Small, TestClient, Rest
                async def test_1(it: Rest, api: TestClient[Small]): assert (type(it), type(api.service)) == (Rest, Small)
                async def test_2(seeded, through): assert (type(seeded), type(through.service)) == (Db, Rest)
                async def test_3(it: Rest): assert type(it) is Rest
                @pytest.mark.usefixtures("seeded")
                async def test_4(through): assert type(through.service) is Rest
                class TestIt:
                    async def test_5(self, it: Small): assert type(it) is Small
                    async def test_6(self, seeded): assert type(seeded) is Db
            """,
        },
    )
    run(pytester, {}).assert_outcomes(passed=6)


def test_one_name_with_two_meanings_in_one_test_is_told(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    @pytest.fixture
    def seeded(it: Db): return it
    async def test_it(it: Rest, seeded): ...
    """,
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "takes it as Db, but in test_it 'it' is Rest: one name, two services." in output(result)


def test_annotations_that_fit(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    class Reads(Protocol):
        def nothing_like_it(self) -> None: ...

    async def test_fits(
        small: Rest, rest: object, db: Life | None, 
    ): ...
    async def test_checkers_matter(small: Reads, rest: Any, db: "NoSuchName"): ...
    async def test_base(small: Life, rest: Annotated[Life, 1], db: list[int]): ...
    """,
    )
    result.assert_outcomes(passed=3)


@pytest.mark.parametrize(
    ("parameter", "told"),
    [
        ("rest: Db", "test_it declares rest: Db, but fixture 'rest' provides Rest."),
        ("rest: Small", "test_it declares rest: Small, but fixture 'rest' provides Rest."),
        ("rest: int", "test_it declares rest: int, but fixture 'rest' provides Rest."),
        ("rest: TestClient[Rest]", "test_it declares rest: TestClient[Rest], but fixture 'rest' provides Rest."),
        ("rest: 'Db'", "test_it declares rest: Db, but fixture 'rest' provides Rest."),
    ],
)
def test_a_name_that_gives_something_else_is_told(pytester: pytest.Pytester, parameter: str, told: str) -> None:
    for user in (
        f"async def test_it({parameter}): ...",
        f"@pytest.fixture(name='f')\n    def test_it({parameter}): ...\n    def test_other(f): ...",
    ):
        result = run(pytester, f"{HEAD}\n    {user}")
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        assert told in output(result)


def test_a_client_of_what_is_no_service_is_told(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    class Plain(Life): ...
    class Tiny(Small): ...
    async def test_1(api: TestClient[Plain]): ...
    async def test_2(api: TestClient): ...
    async def test_3(tiny: Tiny): ...
    """,
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    text = output(result)
    assert "test_1 declares api: TestClient[Plain], but there is no fixture 'api', and Plain isn't a service." in text
    assert "test_2 declares api: TestClient, but not for which service." in text
    assert "and Tiny isn't a service, though Small is." in text


@pytest.mark.parametrize("wrong", ["TestClient[Plain]", "TestClient[int]", "TestClient[Db]"])
def test_a_client_of_something_else_is_told_though_another_test_has_the_name(
    pytester: pytest.Pytester, wrong: str
) -> None:
    result = run(
        pytester,
        HEAD
        + f"""
    class Plain: ...

    @pytest.fixture
    async def api(rest: Rest):
        async with TestClient(rest) as client:
            yield client

    async def test_right(client: TestClient[Rest]): assert type(client.service) is Rest
    class TestWrong:
        async def test_wrong(self, client: {wrong}): assert type(client.service) is not Rest
    """,
    )
    if wrong == "TestClient[Db]":  # a service has its own client, whatever the name means elsewhere
        result.assert_outcomes(passed=2)
    else:
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        assert "test_wrong" in output(result)


@pytest.mark.parametrize("home", ["looprig", "looprig.http", "looprig.http.client"])
def test_a_client_is_recognized_from_wherever_it_is_imported(pytester: pytest.Pytester, home: str) -> None:
    """Apart, since the face changes the class's `__module__` once it was asked for it."""
    result = run_apart(
        pytester,
        f"""
    from {home} import TestClient
    from looprig import service_fixture

    @service_fixture
    class Rest:
        url = "http://127.0.0.1:1"
        async def start(self): ...
        async def stop(self): ...

    async def test_it(anything: TestClient[Rest]): assert type(anything.service) is Rest
    """,
    )
    result.assert_outcomes(passed=1)


def test_a_broken_service_concerns_only_those_who_ask_for_it(pytester: pytest.Pytester) -> None:
    """Though others have another service under the same name."""
    result = run(
        pytester,
        HEAD
        + """
    @service_fixture(scope="session")
    @dataclass(kw_only=True)
    class TooWide(Life):
        db: Db

    async def test_good(store: Db): ...
    async def test_too_wide(store: TooWide): ...
    async def test_other(store: Rest): ...
    """,
    )
    result.assert_outcomes(passed=2, errors=1)
    text = output(result)
    assert 'TooWide (scope "session") needs Db (scope "module"), which ends first.' in text
    assert "one name, two services" not in text
