"""A service with `in_thread=True` answers sync tests and clients, and is used from loops as any other value."""

import pytest

from tests.plugin.suite import run, run_apart
from tests.services_in_pytest.in_thread_suite import HEAD


def test_sync_and_async_tests_use_one_instance(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
    def test_sync(rest: Rest):
        assert type(rest) is Rest and rest.page_size == 20
        assert read(rest.url + "/users") == "[]"
        assert call_service(rest.add_user("Ada")) == 1
        assert read(rest.url + "/users") == '["Ada"]'

    async def test_async(rest: Rest, api: TestClient[Rest]):
        assert asyncio.get_running_loop() is not rest.loop
        assert await rest.add_user("Bob") == 2
        assert await api.get("/users", into=list[str]) == ["Ada", "Bob"]

    @pytest.fixture(scope="module")
    def browser(rest):
        return lambda path: read(rest.url + path)

    def test_through_a_sync_fixture(browser):
        assert browser("/users") == '["Ada", "Bob"]'
    """,
    ).assert_outcomes(passed=3)


def test_services_in_the_thread_share_a_loop_and_stop_in_reverse_order(pytester: pytest.Pytester) -> None:
    run_apart(
        pytester,
        HEAD
        + """
    class Logged:
        async def start(self):
            self.loop, self.thread = asyncio.get_running_loop(), threading.current_thread()
            told.append(f"{type(self).__name__} starts")

        async def stop(self):
            assert asyncio.get_running_loop() is self.loop
            told.append(f"{type(self).__name__} stops")

    @service_fixture(scope="session", in_thread=True)
    class Database(Logged):
        async def rows(self):
            assert asyncio.get_running_loop() is self.loop
            return [1]

    @service_fixture(scope="module", in_thread=True)
    @dataclass(kw_only=True)
    class Shop(Logged):
        database: Database

        async def start(self):
            await super().start()
            self.first = await self.database.rows()

    @service_fixture(in_thread=True)
    @dataclass(kw_only=True)
    class Cart(Logged):
        shop: Shop

    def test_shares(cart, database):
        assert cart.loop is cart.shop.loop is database.loop and cart.shop.database is database
        assert cart.thread is not threading.current_thread() and cart.shop.first == [1]
        assert call_service(database.rows()) == [1]
        assert told == ["Database starts", "Shop starts", "Cart starts"]

    def test_other(database):
        assert told[3:] == ["Cart stops"]

    @pytest.fixture(scope="session", autouse=True)
    def last():
        yield
        print(told)
        assert told[3:] == ["Cart stops", "Shop stops", "Database stops"]
        assert not any(each.name == "looprig: services" for each in threading.enumerate())
    """,
    ).assert_outcomes(passed=2)


def test_a_service_on_a_loop_depends_on_one_in_the_thread(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
    @service_fixture(scope="module")
    @dataclass(kw_only=True)
    class Worker:
        rest: Rest

        async def start(self):
            assert await self.rest.add_user("Eve") == 1

        async def stop(self):
            assert await self.rest.add_user("Eve again") == 2

    async def test_worker(worker: Worker):
        assert worker.rest.users == ["Eve"]

    def test_sync(worker: Worker, rest: Rest):
        assert read(rest.url + "/users") == '["Eve"]'
    """,
    ).assert_outcomes(passed=2)


def test_a_sync_test_gets_no_loop_and_no_scope_mismatch(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    def test_sync(rest: Rest): ...

    async def test_own(rest: Rest): ...
    """,
        "--explain-loops",
    )
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["1 test has a loop of its own; 1 sync test has none"])


def test_processes_are_dependencies_and_services_on_a_loop_are_not(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    import sys

    @service_fixture(scope="module")
    @dataclass(kw_only=True)
    class Files(ProcessService):
        def command(self):
            return [sys.executable, "-u", "-m", "http.server", str(self.port), "--bind", self.host]

        async def ready(self):
            return "Serving HTTP" in self.output

    @service_fixture(scope="module", in_thread=True)
    @dataclass(kw_only=True)
    class Mirror(AiohttpService):
        files: Files

        async def create_app(self):
            app = web.Application()

            async def mirror(request):
                text = await asyncio.to_thread(read, f"http://127.0.0.1:{self.files.port}/")
                return web.Response(text=text)

            app.router.add_get("/", mirror)
            return app

    @service_fixture(scope="module")
    class Loopbound:
        async def start(self): ...
        async def stop(self): ...

    @service_fixture(in_thread=True)
    @dataclass(kw_only=True)
    class Needing:
        bound: Loopbound
        async def start(self): ...
        async def stop(self): ...

    def test_process(mirror: Mirror):
        assert "test_it.py" in read(mirror.url)

    def test_bound(needing: Needing): ...
    """,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*Needing runs in a thread, but its field bound is Loopbound, which is on the loop of the tests*",
            "*Declare Loopbound with in_thread=True too*",
        ]
    )


def test_values_from_fixtures_on_a_loop_must_be_plain(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    @dataclass
    class Settings:
        dsn: str

    @pytest.fixture
    async def settings():
        await asyncio.sleep(0)
        return Settings("x://")

    @pytest.fixture
    async def lock():
        return asyncio.Lock()

    @pytest.fixture
    def locks(lock):
        return [lock]

    class Nothing:
        async def start(self): ...
        async def stop(self): ...

    @service_fixture(in_thread=True)
    @dataclass(kw_only=True)
    class Plain(Nothing):
        settings: Settings

    @service_fixture(in_thread=True)
    @dataclass(kw_only=True)
    class Bound(Nothing):
        locks: list[asyncio.Lock]

    def test_plain(plain):
        assert plain.settings.dsn == "x://"

    def test_bound(bound): ...
    """,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*Bound runs in a thread, and fixture locks gives it a list.*"])


def test_context_variables_are_carried_to_the_thread_and_back(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
    seen = contextvars.ContextVar("seen", default="nothing")

    @pytest.fixture
    def tenant():
        seen.set("tenant")
        return "t"

    @service_fixture(in_thread=True)
    @dataclass(kw_only=True)
    class Tenant:
        tenant: str

        async def run(self):
            assert seen.get() == "tenant"
            seen.set("service")
            yield
            assert seen.get() == "service"

        async def now(self):
            return seen.get()

    def test_sync(tenant_service):
        assert seen.get() == "service"
        seen.set("test")
        assert call_service(tenant_service.now()) == "test"

    async def test_async(tenant_service):
        assert seen.get() == "service"
        seen.set("test")
        assert await tenant_service.now() == "test"

    def test_other():
        assert seen.get() == "nothing"
    """.replace("class Tenant:", "class TenantService:"),
    ).assert_outcomes(passed=3)
