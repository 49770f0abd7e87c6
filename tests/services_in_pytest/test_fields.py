"""The order in which a field of a service is matched."""

import pytest

from tests.plugin.suite import run
from tests.services_in_pytest.folders import put

HEAD = """
    from __future__ import annotations
    from dataclasses import InitVar, KW_ONLY, dataclass, field
    from typing import TYPE_CHECKING, Annotated, ClassVar, Protocol

    import pytest
    from looprig import Fixture, service_fixture

    class Life:
        async def start(self): ...
        async def stop(self): ...
"""


@pytest.mark.parametrize("future", [True, False], ids=["text annotations", "annotations"])
def test_the_order(pytester: pytest.Pytester, future: bool) -> None:
    suite = (
        HEAD
        + """
    class Store(Protocol):
        def read(self) -> str: ...

    @service_fixture
    class Db(Life): ...

    @service_fixture(provides=Store)
    class Disk(Life):
        def read(self): return "disk"

    @pytest.fixture
    def db():
        return "a fixture called db"

    @pytest.fixture
    def other(): return "other"

    @pytest.fixture
    def dsn(): return "dsn"

    @pytest.fixture
    def limit(): return 7

    @service_fixture
    @dataclass(kw_only=True)
    class Rest(Life):
        named: Annotated[str, Fixture("other")]     # 1
        database: Db                                 # 2
        store: Store                                 # 3
        dsn: str                                     # 4
        limit: int = 1                               # 4, for there is such a fixture
        page_size: int = 20                          # configuration
        state: list[int] = field(init=False, default_factory=list)
        constant: ClassVar[int] = 5

    async def test_rest(rest: Rest, disk: Disk):
        assert rest.named == "other"
        assert isinstance(rest.database, Db)
        assert rest.store is disk
        assert rest.dsn == "dsn"
        assert (rest.limit, rest.page_size, rest.state, rest.constant) == (7, 20, [], 5)
    """
    )
    result = run(pytester, suite if future else suite.replace("from __future__ import annotations", "", 1))
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("future", [True, False], ids=["text annotations", "annotations"])
def test_init_vars_keyword_only_fields_and_slots(pytester: pytest.Pytester, future: bool) -> None:
    suite = (
        HEAD
        + """
    @service_fixture
    class Db(Life): ...

    @pytest.fixture
    def dsn(): return "dsn"

    @service_fixture
    @dataclass(slots=True)
    class Rest(Life):
        first: Db
        dsn: InitVar[str]
        db: InitVar[Db]
        _: KW_ONLY
        size: int = 3
        seen: str = field(init=False)
        def __post_init__(self, dsn, db):
            assert db is self.first
            self.seen = dsn

    async def test_rest(rest):
        assert (rest.seen, rest.size) == ("dsn", 3)
    """
    )
    result = run(pytester, suite if future else suite.replace("from __future__ import annotations", "", 1))
    result.assert_outcomes(passed=1)


def test_fields_of_base_classes_in_other_modules(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        {
            "base.py": """
                from __future__ import annotations
                import dataclasses as d
                from looprig import service_fixture
                class Life:
                    async def start(self): ...
                    async def stop(self): ...
                @service_fixture(scope="session")
                class Db(Life): ...
                @d.dataclass(kw_only=True)
                class WithDb(Life):
                    db: Db
                    size: int = 1
            """,
            "test_it.py": """
                from __future__ import annotations
                from dataclasses import dataclass
                import base
                from looprig import service_fixture
                @service_fixture(scope="module")
                @dataclass(kw_only=True)
                class Rest(base.WithDb):
                    size: int = 2
                    second: base.Db
                async def test_inherited(rest: Rest):
                    assert isinstance(rest.db, base.Db) and rest.db is rest.second
                    assert rest.size == 2
            """,
        },
    )
    result.assert_outcomes(passed=1)


def test_a_type_that_only_checkers_see_leaves_the_fixture_of_the_name(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    if TYPE_CHECKING:
        from nowhere import Dsn, Size

    @pytest.fixture
    def dsn(): return "dsn"

    @service_fixture
    @dataclass
    class Rest(Life):
        dsn: Dsn
        size: Size = 4

    async def test_rest(rest):
        assert (rest.dsn, rest.size) == ("dsn", 4)
    """,
    )
    result.assert_outcomes(passed=1)


def test_configuration_is_answered_where_there_is_a_fixture_of_its_name_and_only_there(
    pytester: pytest.Pytester,
) -> None:
    """Whichever folder is collected first, and although it is one service."""
    services = """
        from dataclasses import dataclass
        from looprig import service_fixture
        @service_fixture(scope="module")
        @dataclass(kw_only=True)
        class Rest:
            page_size: int = 20
            async def run(self):
                yield
        @service_fixture(scope="module")
        @dataclass(kw_only=True)
        class Front:
            rest: Rest
            async def run(self):
                yield
    """
    fixture = """
        import pytest
        @pytest.fixture(scope="session")
        def page_size(): return {0}
    """
    test = """
        from services import Rest
        async def test_size(rest: Rest, front):
            assert rest.page_size == {0}
            assert front.rest is rest
    """
    put(
        pytester,
        {
            "services.py": services,
            "conftest.py": "from services import Front",
            "a/test_a.py": test.format(20),
            "b/conftest.py": fixture.format(5),
            "b/test_b.py": test.format(5),
            "c/test_c.py": test.format(20),
            "d/test_d.py": fixture.format(6) + test.format(6),
        },
    )
    for order in (["a", "b", "c", "d"], ["d", "c", "b", "a"]):
        run(pytester, {}, *order).assert_outcomes(passed=4)


def test_a_fixture_of_pytest_does_not_answer_configuration_but_a_required_field(
    pytester: pytest.Pytester,
) -> None:
    result = run(
        pytester,
        HEAD
        + """
    @service_fixture
    @dataclass
    class Disk(Life):
        tmp_path: object
        cache: str = "mine"

    async def test_disk(disk, tmp_path):
        assert disk.tmp_path == tmp_path
        assert disk.cache == "mine"
    """,
    )
    result.assert_outcomes(passed=1)


def test_base_classes_of_looprig_keep_their_configuration(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
    import pytest
    from dataclasses import dataclass
    from looprig import TcpService, service_fixture

    @pytest.fixture
    def host(): return "no.such.host"

    @service_fixture
    @dataclass(kw_only=True)
    class Echo(TcpService):
        async def handle(self, reader, writer): ...

    async def test_echo(echo):
        assert echo.host != "no.such.host"
    """,
    )
    result.assert_outcomes(passed=1)


def test_a_generic_protocol_and_several_providers_of_its_parameters(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
    from dataclasses import dataclass
    from typing import Protocol, TypeVar
    from looprig import service_fixture
    T = TypeVar("T", covariant=True)

    class Store(Protocol[T]):
        def read(self) -> T: ...

    class Life:
        def read(self): ...
        async def start(self): ...
        async def stop(self): ...

    @service_fixture(provides=[Store[int]])
    class Numbers(Life): ...

    @service_fixture(provides=Store[str])
    class Words(Life): ...

    @service_fixture
    @dataclass
    class Rest(Life):
        numbers: Store[int]
        words: Store[str]

    async def test_rest(rest):
        assert type(rest.numbers) is Numbers and type(rest.words) is Words
    """,
    )
    result.assert_outcomes(passed=1)


def test_a_provider_in_a_conftest_that_another_conftest_hides(pytester: pytest.Pytester) -> None:
    """Conftests outside packages share one module name, and `sys.modules` has only the last."""
    put(
        pytester,
        {
            "conftest.py": """
                from __future__ import annotations
                from dataclasses import dataclass
                from typing import Protocol
                from looprig import service_fixture
                class Store(Protocol):
                    def read(self) -> str: ...
                class Life:
                    async def start(self): ...
                    async def stop(self): ...
                @service_fixture(provides=Store)
                class Disk(Life):
                    def read(self): return "disk"
                @service_fixture
                @dataclass
                class Rest(Life):
                    store: Store
                    disk: Disk
            """,
            "sub/conftest.py": "",
            "sub/test_it.py": """
                async def test_rest(rest):
                    assert rest.store is rest.disk
            """,
        },
    )
    run(pytester, {}, "sub").assert_outcomes(passed=1)


def test_fixtures_of_pytest_and_of_looprig_answer_no_field_that_has_a_default(pytester: pytest.Pytester) -> None:
    """Their names are ordinary words, which a service may use for its own configuration."""
    suite = """
    @service_fixture
    @dataclass(kw_only=True)
    class Rest(Life):
        tmp_path: str = "default"
        cache: int = 3
        loop: str = "default"
        localhost: str = "default"

    async def test_it(rest: Rest):
        assert (rest.tmp_path, rest.cache, rest.loop, rest.localhost) == ("default", 3, "default", "default")

    @service_fixture
    @dataclass(kw_only=True)
    class Needy(Life):
        tmp_path: object

    async def test_without_a_default(needy: Needy, tmp_path):
        assert needy.tmp_path == tmp_path
    """
    run(pytester, HEAD + suite).assert_outcomes(passed=2)


def test_a_fixture_of_the_suite_by_such_a_name_does(pytester: pytest.Pytester) -> None:
    suite = """
    @service_fixture
    @dataclass(kw_only=True)
    class Rest(Life):
        tmp_path: str = "default"

    @pytest.fixture
    def tmp_path(): return "mine"

    async def test_it(rest: Rest):
        assert rest.tmp_path == "mine"
    """
    run(pytester, HEAD + suite).assert_outcomes(passed=1)
