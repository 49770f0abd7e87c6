"""A declaration that is wrong by itself is reported with its place when its module is imported."""

from textwrap import dedent

import pytest

from tests.golden.suites import told_at_import

LIFECYCLES = (
    "Give it `async def start(self)` and `async def stop(self)`; or an async generator `run` that yields once; or "
    "`__aenter__` and `__aexit__`."
)


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        ("size = 1", ""),
        ("async def start(self): ...", " It has start but no stop."),
        ("async def stop(self): ...", " It has stop but no start."),
        ("async def __aenter__(self): ...", " It has __aenter__ but no __aexit__."),
        ("def start(self): ...\n    def stop(self): ...", " Its start and stop cannot be awaited: write `async def`."),
        (
            "def __enter__(self): ...\n    def __exit__(self, *error): ...",
            " Its context manager is not async: write `async def __aenter__` and `async def __aexit__`.",
        ),
        (
            "async def run(self): ...",
            " Its run is a coroutine function: add a `yield` where the service is ready.",
        ),
        (
            "def run(self):\n        yield",
            " Its run is not async: make it an `async def` with a `yield` where the service is ready.",
        ),
    ],
)
def test_no_lifecycle(pytester: pytest.Pytester, body: str, hint: str) -> None:
    assert told_at_import(pytester, f"@service_fixture\nclass Db:\n    {body}\n") == (
        "_________________________ ERROR collecting test_it.py __________________________\n"
        "test_it.py:8: in <module>\n"
        "    @service_fixture\n"
        f"E   looprig.DeclarationError: Db has no lifecycle, so it cannot be started and stopped.{hint}\n"
        "E     test_it.py:8: Db\n"
        f"E   {LIFECYCLES}\n"
    )


@pytest.mark.parametrize(
    ("suite", "expected"),
    [
        pytest.param(
            """
            @service_fixture
            class Db(Life):
                size: int
            """,
            """
            test_it.py:8: in <module>
                @service_fixture
            E   looprig.DeclarationError: Db has annotated fields (size), but is not a dataclass yet.
            E     test_it.py:8: Db
            E   Put @dataclass(kw_only=True) below @service_fixture(...), directly above the class.
            """,
            id="no dataclass",
        ),
        pytest.param(
            """
            @dataclass
            @service_fixture(scope="module")
            class Db(Life):
                size: int
                dsn: str
            """,
            """
            test_it.py:9: in <module>
                @service_fixture(scope="module")
            E   looprig.DeclarationError: Db has annotated fields (dsn, size), but is not a dataclass yet.
            E     test_it.py:8: Db
            E   Put @dataclass(kw_only=True) below @service_fixture(...), directly above the class.
            """,
            id="wrong order of decorators",
        ),
        pytest.param(
            """
            @service_fixture
            class Db(Life):
                def __init__(self, dsn): ...
            """,
            """
            test_it.py:8: in <module>
                @service_fixture
            E   looprig.DeclarationError: The constructor of Db requires dsn, which isn't a dataclass field.
            E     test_it.py:8: Db
            E   Put @dataclass(kw_only=True) below @service_fixture(...), and declare the arguments as fields.
            """,
            id="a constructor of its own",
        ),
        pytest.param(
            """
            from looprig import AiohttpService
            @service_fixture
            @dataclass
            class Rest(AiohttpService): ...
            """,
            """
            test_it.py:9: in <module>
                @service_fixture
            E   looprig.DeclarationError: Rest is abstract: it doesn't implement create_app.
            E     test_it.py:9: Rest
            E   Implement create_app, or decorate the subclass that does.
            """,
            id="abstract",
        ),
        pytest.param(
            """
            loops = loop_config(timeout=1)
            others = loop_config(timeout=2)
            """,
            """
            test_it.py:9: in <module>
                others = loop_config(timeout=2)
            E   looprig.DeclarationError: Two loop_config calls in one module set different values of timeout: 1 and 2.
            E     test_it.py:8: loop_config
            E     test_it.py:9: loop_config
            E   Set it once, or move the tests that need another value into a module of their own.
            """,
            id="two loop_config",
        ),
        pytest.param(
            """
            @service_fixture(scope="modul")
            class Db(Life): ...
            """,
            """
            test_it.py:8: in <module>
                @service_fixture(scope="modul")
            E   looprig.DeclarationError: Db has scope 'modul', which pytest does not know.
            E     test_it.py:8: Db
            E   Use one of function, class, module, package, session, run.
            """,
            id="unknown scope",
        ),
        pytest.param(
            """
            class Store(Protocol):
                size: int
                def read(self) -> str: ...
                def write(self) -> None: ...
            @service_fixture(provides=Store)
            class Db(Life):
                def read(self): ...
            """,
            """
            test_it.py:12: in <module>
                @service_fixture(provides=Store)
            E   looprig.DeclarationError: Db is declared to provide Store, but has no size, write.
            E     test_it.py:12: Db
            E     test_it.py:8: Store
            E   Give it size, write, or remove Store from provides.
            """,
            id="provides what it has not",
        ),
        pytest.param(
            """
            @service_fixture(provides=[Life])
            class Db(Life): ...
            """,
            """
            test_it.py:8: in <module>
                @service_fixture(provides=[Life])
            E   looprig.DeclarationError: Db is declared to provide Life, which isn't a Protocol.
            E     test_it.py:8: Db
            E     test_it.py:5: Life
            E   Pass only Protocols as provides. A field can name a service class directly.
            """,
            id="provides no Protocol",
        ),
        pytest.param(
            """
            @service_fixture
            async def db(): ...
            """,
            """
            test_it.py:8: in <module>
                @service_fixture
            E   looprig.DeclarationError: service_fixture was applied to db, which isn't a class.
            E     test_it.py:8: db
            E   Apply it to a class with a lifecycle. For a function, use pytest.fixture.
            """,
            id="a function",
        ),
        pytest.param(
            """
            @service_fixture(name="request")
            class Db(Life): ...
            """,
            """
            test_it.py:8: in <module>
                @service_fixture(name="request")
            E   looprig.DeclarationError: Db cannot be the fixture 'request': pytest or looprig already has one.
            E     test_it.py:8: Db
            E   Give it another name: name="...".
            """,
            id="a name that is taken",
        ),
        pytest.param(
            """
            @service_fixture(name="one")
            @service_fixture(name="two")
            class Db(Life): ...
            """,
            """
            test_it.py:8: in <module>
                @service_fixture(name="one")
            E   looprig.DeclarationError: Db is declared with service_fixture twice.
            E     test_it.py:8: Db
            E   Keep one of them. For the same service with another scope or name, decorate a subclass.
            """,
            id="declared twice",
        ),
        pytest.param(
            """
            @service_fixture
            class Db(Life): ...
            @service_fixture
            class Rest(Life):
                db = Db
            """,
            """
            test_it.py:10: in <module>
                @service_fixture
            E   looprig.DeclarationError: Rest.db is the class Db itself, not a running service.
            E     test_it.py:10: Rest
            E     test_it.py:8: Db
            E   To depend on the service, write `db: Db`. To keep the class, write `db: ClassVar = Db`.
            """,
            id="a service without an annotation",
        ),
        pytest.param(
            """
            loops = loop_config(scope="modul")
            """,
            """
            test_it.py:8: in <module>
                loops = loop_config(scope="modul")
            E   looprig.DeclarationError: loop_config has scope 'modul', which pytest does not know.
            E     test_it.py:8: loop_config
            E   Use one of function, class, module, package, session.
            """,
            id="loop_config",
        ),
    ],
)
def test_wrong_by_itself(pytester: pytest.Pytester, suite: str, expected: str) -> None:
    heading = "_________________________ ERROR collecting test_it.py __________________________"
    assert told_at_import(pytester, suite) == f"{heading}{dedent(expected)}"
