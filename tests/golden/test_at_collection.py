"""Declarations that contradict each other fail the tests that they concern, and the summary shows each error once."""

from textwrap import dedent

import pytest

from tests.golden.suites import told_at_collection


@pytest.mark.parametrize(
    ("suite", "expected"),
    [
        pytest.param(
            """
            @service_fixture(scope="session")
            @dataclass
            class Db(Life):
                dsn: str
                size: int = 3
            async def test_it(db): ...
            """,
            """
            Db.dsn has no value: there is no fixture 'dsn', no service of its type, and no default.
              test_it.py:8: Db
              test_it.py:13: test_it
            Add a fixture 'dsn', give the field a default, or annotate it with a service.
            """,
            id="unknown dependency",
        ),
        pytest.param(
            """
            @service_fixture
            @dataclass
            class Db(Life):
                dsn: Annotated[str, Fixture("postgres_dsn")]
            async def test_it(db): ...
            """,
            """
            Db.dsn has no value: there is no fixture 'postgres_dsn', which Fixture('postgres_dsn') names.
              test_it.py:8: Db
              test_it.py:12: test_it
            Add a fixture 'postgres_dsn', or correct the name in Fixture('postgres_dsn').
            """,
            id="unknown named fixture",
        ),
        pytest.param(
            """
            if TYPE_CHECKING:
                from elsewhere import Dsn
            @service_fixture
            @dataclass
            class Db(Life):
                dsn: "Dsn"
            async def test_it(db): ...
            """,
            """
            Db.dsn has no value: there is no fixture 'dsn', and its annotation cannot be resolved at run time.
              test_it.py:10: Db
              test_it.py:14: test_it
            Import the type of dsn outside of `if TYPE_CHECKING`, or add a fixture 'dsn'.
            """,
            id="a type for checkers only",
        ),
        pytest.param(
            """
            class Store(Protocol):
                def read(self) -> str: ...
            @service_fixture(provides=Store)
            class Disk(Life):
                def read(self): ...
            @service_fixture(provides=Store)
            class Memory(Life):
                def read(self): ...
            @service_fixture
            @dataclass
            class Rest(Life):
                store: Store
            async def test_it(rest): ...
            """,
            """
            Field store of Rest requests a Store, which 2 services provide.
              test_it.py:16: Rest
              test_it.py:8: Store
              test_it.py:10: Disk
              test_it.py:13: Memory
            Annotate the field with the service you mean, or with Annotated[Store, Fixture("disk")].
            """,
            id="ambiguous Protocol",
        ),
        pytest.param(
            """
            @service_fixture
            @dataclass
            class A(Life):
                b: "B"
            @service_fixture
            @dataclass
            class B(Life):
                c: "C"
            @service_fixture
            @dataclass
            class C(Life):
                a: A
            async def test_it(c): ...
            """,
            """
            Services depend on each other in a circle: A -> B -> C -> A, so none of them can start first.
              test_it.py:8: A
              test_it.py:12: B
              test_it.py:16: C
            Remove one of these fields, or pass that value on after the service has started.
            """,
            id="circle",
        ),
        pytest.param(
            """
            @service_fixture
            class Db(Life): ...
            @service_fixture(scope="session")
            @dataclass
            class Orders(Life):
                db: Db
            async def test_it(orders): ...
            """,
            """
            Orders (scope "session") needs Db (scope "function"), which ends first.
              test_it.py:10: Orders
              test_it.py:8: Db
            Widen Db to scope="session", or narrow Orders to scope="function".
            """,
            id="a wide service and a narrow one",
        ),
        pytest.param(
            """
            @service_fixture(scope="module")
            @dataclass
            class Db(Life):
                dsn: str
                size: int = 3
            @pytest.fixture
            def dsn(): ...
            @pytest.fixture(scope="class")
            def size(): ...
            async def test_it(db): ...
            """,
            """
            Db (scope "module") needs dsn (scope "function"), which ends first.
              test_it.py:8: Db
              test_it.py:13: dsn
            Widen dsn to scope="module", or narrow Db to scope="function".

            Db (scope "module") needs size (scope "class"), which ends first.
              test_it.py:8: Db
              test_it.py:15: size
            Widen size to scope="module", or narrow Db to scope="class".
            Field size has a default, but a fixture of its name takes precedence.
            """,
            id="a wide service and narrow fixtures",
        ),
        pytest.param(
            """
            @service_fixture
            class Db(Life): ...
            @service_fixture(scope="session")
            class Rest(Life): url = "http://localhost"
            @pytest.fixture(scope="module")
            async def seeded(db): ...
            @pytest.fixture(scope="module")
            async def client(api: TestClient[Rest]): ...
            async def test_it(seeded, client): ...
            """,
            """
            seeded (scope "module") needs Db (scope "function"), which ends first.
              test_it.py:12: seeded
              test_it.py:8: Db
            Widen Db to scope="module", or narrow seeded to scope="function".

            client (scope "module") needs TestClient[Rest] (scope "function"), which ends first.
              test_it.py:14: client
              test_it.py:10: TestClient[Rest]
            Take Rest itself in client, and open a client there: `async with TestClient(...) as api`.
            """,
            id="wide fixtures and a narrow service",
        ),
        pytest.param(
            """
            @service_fixture
            class Db(Life): ...
            @service_fixture
            class Rest(Life): ...
            async def test_it(rest: Db): ...
            async def test_int(rest: int): ...
            async def test_client(rest: TestClient[Rest]): ...
            """,
            """
            test_it declares rest: Db, but fixture 'rest' provides Rest.
              test_it.py:12: test_it
              test_it.py:10: Rest
              test_it.py:8: Db
            Annotate it as Rest, or give the parameter a name that no fixture has.

            test_int declares rest: int, but fixture 'rest' provides Rest.
              test_it.py:13: test_int
              test_it.py:10: Rest
            Annotate it as Rest, or give the parameter a name that no fixture has.

            test_client declares rest: TestClient[Rest], but fixture 'rest' provides Rest.
              test_it.py:14: test_client
              test_it.py:10: Rest
            Annotate it as Rest, or give the parameter a name that no fixture has.
            """,
            id="annotations that are not so",
        ),
        pytest.param(
            """
            @service_fixture
            class Db(Life): ...
            @service_fixture
            class Cache(Life): ...
            @service_fixture
            @dataclass
            class Rest(Life):
                db: Annotated[Db, Fixture("cache")]
            async def test_it(rest): ...
            """,
            """
            Rest.db declares Db, but fixture 'cache' provides Cache.
              test_it.py:12: Rest
              test_it.py:10: Cache
              test_it.py:8: Db
            Annotate it as Cache, or name another fixture.
            """,
            id="a field that is not so",
        ),
        pytest.param(
            """
            @service_fixture
            class Db(Life): ...
            class Small(Db): ...
            async def test_client(api: TestClient[Life]): ...
            async def test_bare(api: TestClient): ...
            async def test_sub(small: Small): ...
            """,
            """
            test_client declares api: TestClient[Life], but there is no fixture 'api', and Life isn't a service.
              test_it.py:11: test_client
              test_it.py:5: Life
            Decorate Life with @service_fixture(...).

            test_bare declares api: TestClient, but not for which service.
              test_it.py:12: test_bare
            Name it: TestClient[Rest].

            test_sub declares small: Small, but there is no fixture 'small', and Small isn't a service, though Db is.
              test_it.py:13: test_sub
              test_it.py:10: Small
              test_it.py:8: Db
            Decorate Small with @service_fixture(...).
            """,
            id="what looks like a service",
        ),
        pytest.param(
            {
                "one.py": """
                    @service_fixture
                    class Db(Life): ...
                """,
                "two.py": """
                    @service_fixture
                    class Db(Life): ...
                """,
                "test_it.py": """
                    from one import Db
                    from two import Db as Other
                    async def test_it(db): ...
                """,
            },
            """
            Two services are called 'db' in test_it: one.Db and two.Db.
              one.py:8: Db
              two.py:8: Db
            Give one of them another name: @service_fixture(name="...").
            """,
            id="two of one name",
        ),
        pytest.param(
            {
                "one.py": """
                    class Store(Protocol):
                        def read(self) -> str: ...
                    @service_fixture
                    @dataclass
                    class Rest(Life):
                        store: Store
                """,
                "conftest.py": "from one import Rest",
                "test_it.py": """
                    from one import Store
                    @service_fixture(provides=Store)
                    class Disk(Life):
                        def read(self): ...
                    async def test_it(rest): ...
                """,
            },
            """
            Rest.store requests what Disk provides, but Disk was imported after Rest became a fixture.
              one.py:10: Rest
              test_it.py:9: Disk
            Import Disk where Rest is imported first, for example in a conftest.py.
            """,
            id="a provider that comes late",
        ),
        pytest.param(
            """
            @service_fixture
            class Db(Life): ...
            @service_fixture
            class Rest(Life): ...
            @pytest.fixture
            def seeded(it: Db): ...
            async def test_it(it: Rest, seeded): ...
            """,
            """
            seeded takes it as Db, but in test_it 'it' is Rest: one name, two services.
              test_it.py:12: seeded
              test_it.py:14: test_it
              test_it.py:8: Db
              test_it.py:10: Rest
            Give the parameter 'it' of seeded another name.
            """,
            id="one name, two services",
        ),
    ],
)
def test_wrong_between_declarations(pytester: pytest.Pytester, suite: str | dict[str, str], expected: str) -> None:
    assert told_at_collection(pytester, suite) == dedent(expected).lstrip("\n")


def test_what_is_wrong_in_several_files_is_reported_together(pytester: pytest.Pytester) -> None:
    suite = {
        "conftest.py": """
            @service_fixture
            @dataclass
            class Itself(Life):
                itself: "Itself"
        """,
        "a/conftest.py": """
            @service_fixture
            class Narrow(Life): ...
            @service_fixture(scope="session")
            @dataclass
            class Wide(Life):
                narrow: Narrow
        """,
        "a/test_a.py": """
            @service_fixture
            @dataclass
            class Db(Life):
                dsn: str
            async def test_a(db): ...
            async def test_again(db): ...
            async def test_wide(wide): ...
        """,
        "test_b.py": """
            async def test_b(api: TestClient): ...
            async def test_itself(itself): ...
        """,
    }
    assert told_at_collection(pytester, suite) == dedent(
        """\
        Db.dsn has no value: there is no fixture 'dsn', no service of its type, and no default.
          a/test_a.py:8: Db
          a/test_a.py:12: test_a
        Add a fixture 'dsn', give the field a default, or annotate it with a service.

        Wide (scope "session") needs Narrow (scope "function"), which ends first.
          a/conftest.py:10: Wide
          a/conftest.py:8: Narrow
        Widen Narrow to scope="session", or narrow Wide to scope="function".

        test_b declares api: TestClient, but not for which service.
          test_b.py:8: test_b
        Name it: TestClient[Rest].

        Services depend on each other in a circle: Itself -> Itself, so none of them can start first.
          conftest.py:8: Itself
        Remove one of these fields, or pass that value on after the service has started.
        """
    )
