"""A service lives as long as its scope says, wherever it was imported."""

import pytest

from tests.plugin.suite import output, run
from tests.services_in_pytest.folders import put

SERVICES = """
    from dataclasses import dataclass
    from looprig import service_fixture

    told = []

    class Life:
        async def start(self):
            told.append("+" + type(self).__name__)
        async def stop(self):
            told.append("-" + type(self).__name__)
"""


def test_each_scope(pytester: pytest.Pytester) -> None:
    put(
        pytester,
        {
            "services.py": SERVICES
            + """
    @service_fixture(scope="session")
    class S(Life): ...
    @service_fixture(scope="module")
    class M(Life): ...
    @service_fixture(scope="class")
    class C(Life): ...
    @service_fixture
    class F(Life): ...
    """,
            "conftest.py": """
                from services import S, M, C, F, told
                def pytest_unconfigure():
                    print("TOLD", *told)
            """,
            "test_a.py": """
                class TestOne:
                    async def test_1(self, s, m, c, f): ...
                    async def test_2(self, s, m, c, f): ...
                class TestTwo:
                    async def test_3(self, s, m, c, f): ...
            """,
            "test_b.py": "async def test_4(s, m, c, f): ...",
        },
    )
    result = run(pytester, {}, "-s")
    result.assert_outcomes(passed=4)
    told = next(line for line in output(result).splitlines() if line.startswith("TOLD")).split()[1:]
    assert [entry for entry in told if entry[0] == "-"] == ["-F", "-F", "-C", "-F", "-C", "-M", "-F", "-C", "-M", "-S"]
    # Services that one test needs start concurrently, in any order.
    between = " ".join(told).replace("+", "").split("-F")
    assert [sorted(part.split()) for part in between[:2]] == [["C", "F", "M", "S"], ["F"]]


def test_a_package_scoped_service_ends_with_the_package_that_imported_it(pytester: pytest.Pytester) -> None:
    services = (
        SERVICES
        + """
    @service_fixture(scope="session")
    class Root(Life): ...
    @service_fixture(scope="package")
    @dataclass
    class P(Life):
        root: Root
    @service_fixture
    @dataclass
    class F(Life):
        p: P
    """
    )
    result = run(
        pytester,
        {
            "suite/services.py": services,
            "suite/conftest.py": """
                from .services import told
                def pytest_unconfigure():
                    print("TOLD", *told)
            """,
            "suite/a/conftest.py": "from ..services import P",
            "suite/a/test_1.py": "async def test_1(p): ...",
            "suite/a/deeper/test_2.py": "from ...services import P\nasync def test_2(p: P): ...",
            "suite/b/test_3.py": "from ..services import P, F\nasync def test_3(it: P, f): assert f.p is it",
            "suite/b/test_4.py": """
                import pytest
                from ..services import P, told
                @pytest.fixture(scope="module")
                async def wide(p: P): return p
                async def test_4(p: P, wide): assert told[-1] == "-F" and wide is p
            """,
        },
        "-s",
        "--explain-loops",
    )
    result.assert_outcomes(passed=4)
    assert "TOLD +Root +P -P +P +F -F -P -Root" in output(result)


def test_a_wide_fixture_may_ask_for_a_service_as_wide_and_a_client_only_if_it_is_narrow(
    pytester: pytest.Pytester,
) -> None:
    result = run(
        pytester,
        SERVICES
        + """
    import pytest
    from looprig import TestClient
    @service_fixture(scope="module")
    class M(Life):
        url = "http://127.0.0.1:1"
    @pytest.fixture(scope="module")
    async def seeded(m: M):
        async with TestClient(m) as client:
            yield client
    @pytest.fixture
    async def narrow(client: TestClient[M]): return client
    async def test_it(seeded, narrow): assert seeded.service is narrow.service
    """,
    )
    result.assert_outcomes(passed=1)


def test_a_module_of_a_service_shares_the_loop_of_all_that_use_it(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        SERVICES
        + """
    import asyncio
    @service_fixture(scope="module")
    class M:
        async def run(self):
            self.loop = asyncio.get_running_loop()
            yield
            assert asyncio.get_running_loop() is self.loop
    async def test_1(m): assert m.loop is asyncio.get_running_loop()
    async def test_2(other: M): assert other.loop is asyncio.get_running_loop()
    def test_3(m, loop): assert m.loop is loop
    async def test_own(): ...
    """,
        "--explain-loops",
    )
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["module loop of test_it.py: 3 tests and 1 fixture, because of M (test_it.py:*)"])


def test_usefixtures_and_indirect_requests(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        SERVICES
        + """
    import pytest
    @service_fixture(scope="module")
    class M(Life): ...

    @pytest.mark.usefixtures("m")
    def test_marked(): assert told == ["+M"]

    def test_dynamic(request, m): assert request.getfixturevalue("m") is m

    @pytest.mark.parametrize("name", ["m"])
    def test_undeclared(request, name): assert type(request.getfixturevalue(name)) is M
    """,
    )
    result.assert_outcomes(passed=3)
