"""An error of a service while tests run is reported with the service, its place and its own lines alone."""

from textwrap import dedent

import pytest

from tests.golden.suites import told_at_run

HIDDEN = "All traceback entries are hidden. Pass `--full-trace` to see hidden and internal frames.\n"


@pytest.mark.parametrize(
    ("suite", "expected"),
    [
        pytest.param(
            """
            @service_fixture
            class Db(Life):
                async def start(self):
                    import logging
                    logging.error("no disk")
                    raise OSError("disk")
            async def test_it(db): ...
            """,
            """\
            __________________________ ERROR at setup of test_it ___________________________
            test_it.py:13: in start
                raise OSError("disk")
            E   OSError: disk

            The above exception was the direct cause of the following exception:
            E   looprig.ServiceStartError: Service Db did not start: OSError: disk.
                  test_it.py:8: Db
                It logged:
                    ERROR root: no disk
            """,
            id="no start",
        ),
        pytest.param(
            """
            import asyncio
            @service_fixture(start_timeout=0.01)
            class Db(Life):
                async def start(self):
                    await asyncio.Event().wait()
            async def test_it(db): ...
            """,
            """\
            E   looprig.ServiceStartError: Service Db was not ready within 0.01 s.
                  test_it.py:9: Db
                It waited at
                  test_it.py:12 in start
            """,
            id="late",
        ),
        pytest.param(
            """
            import asyncio
            import uvicorn  # before the start, since that may take long
            from looprig import AsgiService
            @service_fixture(start_timeout=0.5)
            @dataclass(kw_only=True)
            class Rest(AsgiService):
                async def create_app(self):
                    return self.app_of_its_own
                async def app_of_its_own(self, scope, receive, send):
                    await self.connect()
                async def connect(self):
                    await asyncio.Event().wait()
            async def test_it(rest): ...
            """,
            """\
            E   looprig.ServiceStartError: Service Rest was not ready within 0.5 s.
                  test_it.py:11: Rest
                lifespan of Rest waited at
                  test_it.py:17 in app_of_its_own
                  test_it.py:19 in connect
            """,
            id="late in a task",
        ),
        pytest.param(
            """
            from looprig import ProcessService
            @service_fixture(start_timeout=0.5)
            @dataclass(kw_only=True)
            class Redis(ProcessService):
                def command(self):
                    return ["sleep", "60"]
                async def ready(self):
                    raise RuntimeError("loading the data set")
            async def test_it(redis): ...
            """,
            """\
            E   looprig.ServiceStartError: Service Redis was not ready within 0.5 s.
                  test_it.py:9: Redis
                Its `ready` raised RuntimeError: loading the data set
                  test_it.py:15 in ready
            """,
            id="never ready",
        ),
        pytest.param(
            """
            @service_fixture
            class Db:
                async def run(self):
                    yield
                    yield
            async def test_it(db): ...
            """,
            """\
            _________________________ ERROR at teardown of test_it _________________________
            E   looprig.FixtureError: Db.run yielded twice.
                  test_it.py:8: Db
                Yield once; the code after the yield stops the service.
            """,
            id="two yields",
        ),
        pytest.param(
            """
            @service_fixture
            class Db(Life):
                async def start(self):
                    if not hasattr(self, "url"): return
            async def test_it(api: TestClient[Db]): ...
            """,
            """\
            __________________________ ERROR at setup of test_it ___________________________
            E   looprig.DeclarationError: Db has no url, so a TestClient cannot know where to send requests.
                  test_it.py:8: Db
                Give it a `url` property, or request the service itself instead of a client.
            """,
            id="no url",
        ),
        pytest.param(
            """
            from looprig import Proxy
            @service_fixture
            class Db(Life):
                address = None
            async def test_it(proxy: Proxy[Db]): ...
            """,
            """\
            __________________________ ERROR at setup of test_it ___________________________
            E   looprig.DeclarationError: Db has no address, so no proxy can be put in front of it.
                  test_it.py:9: Db
                Give it a property `address`: (host, port), or the path of a Unix socket.
            """,
            id="no address",
        ),
    ],
)
def test_a_service_that_fails(pytester: pytest.Pytester, suite: str, expected: str) -> None:
    assert told_at_run(pytester, suite).endswith(dedent(expected) + HIDDEN)


@pytest.mark.parametrize(
    ("suite", "expected"),
    [
        pytest.param(
            """
            pytest_plugins = ["looprig.aiomisc"]
            @pytest.fixture
            def services(): return [Life]
            async def test_it(): ...
            """,
            """\
            looprig.DeclarationError: `services` contains the class Life, not an instance of it.
              test_it.py:5: Life
            Create an instance: Life(...).
            """,
            id="a class in services",
        ),
        pytest.param(
            """
            from looprig import ask
            async def test_it():
                await ask(Life)
            """,
            """\
            looprig.AskError: ask(Life): that isn't a service class.
              test_it.py:5: Life
            Ask for a class with @service_fixture, a TestClient[...] or Proxy[...] of one, or a fixture by its name.
            """,
            id="asked for what is none",
        ),
        pytest.param(
            """
            from looprig import current_context
            async def test_it():
                current_context()
            """,
            """\
            looprig.LooprigError: There is no context here: neither default_context nor services is overridden.
              test_it.py:10: current_context
            Override the default_context fixture, or add the parameter `entrypoint` to the test.
            """,
            id="no context",
        ),
        pytest.param(
            """
            from looprig import current_context
            async def test_it(entrypoint):
                current_context().set("size", 1)
                current_context().get("dsn")
            """,
            """\
            looprig.LooprigError: The context has no 'dsn'; it has size.
              test_it.py:11: get
            Put it into default_context, set it in a service, or await context.wait(...) for it.
            """,
            id="nothing in the context",
        ),
        pytest.param(
            """
            from looprig import rig
            @service_fixture
            @dataclass
            class Db(Life):
                dsn: str
                size: int = 3
            async def test_it():
                async with rig(Db, sise=4, dsn=""): ...
            """,
            """\
            looprig.DeclarationError: The rig was given sise, which isn't a field of Db or its dependencies.
              test_it.py:9: Db
            Did you mean size?
            """,
            id="a value for a field of a rig that is spelt wrong",
        ),
        pytest.param(
            """
            from looprig import AiohttpService, rig
            @service_fixture
            @dataclass
            class Db(Life):
                dsn: str
            @service_fixture
            @dataclass(kw_only=True)
            class Rest(AiohttpService):
                db: Db
                size: int = 3
                async def create_app(self): ...
            async def test_it():
                async with rig(Rest, colour=4, dsn=""): ...
            """,
            """\
            looprig.DeclarationError: The rig was given colour, which isn't a field of Rest or its dependencies.
              test_it.py:13: Rest
            The fields are: db, dsn, size, those of AiohttpService.
            """,
            id="a value for no field of a rig",
        ),
        pytest.param(
            """
            from looprig import rig
            @service_fixture
            @dataclass
            class Db(Life):
                dsn: str
            @service_fixture
            @dataclass
            class Rest(Life):
                db: Db
                host: str
            async def test_it():
                async with rig(Rest): ...
            """,
            """\
            looprig.DeclarationError: The rig was given no value for Rest.host, Db.dsn.
              test_it.py:13: Rest
              test_it.py:9: Db
            Pass it: rig(Rest, host=..., dsn=...).
            """,
            id="no value in a rig",
        ),
    ],
)
def test_a_wrong_use(pytester: pytest.Pytester, suite: str, expected: str) -> None:
    assert told_at_run(pytester, suite, whole=False) == dedent(expected)


def test_a_task_that_does_not_end(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is reported with the place where it was written, and with the line where it waits.

    It sleeps, so that the loop holds it: one that waits for what only itself holds may be collected at any time.
    """
    monkeypatch.setattr("looprig.runtime.ending.GRACE", 0.02)
    suite = """
        import asyncio
        async def stubborn():
            while True:
                try:
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    pass
        async def test_it():
            asyncio.create_task(stubborn(), name="a task")
            await asyncio.sleep(0)
        """
    told = told_at_run(pytester, suite)
    assert told.startswith(
        dedent("""\
            _________________________ ERROR at teardown of test_it _________________________
            E   looprig.StuckTaskError: 1 task(s) of test_it swallowed their cancellation 3 times and were left behind.
                  test_it.py:15: test_it
                  test_it.py:9: a task
                Let asyncio.CancelledError pass, or end the task before its fixture or test ends.
                a task waits at
                  test_it.py:12 in stubborn
            """)
    )


def test_a_host_that_cannot_be_bound(pytester: pytest.Pytester) -> None:
    """None of looprig's own lines stand between what happened and the user's class."""
    suite = """
        from aiohttp import web
        from looprig import AiohttpService
        @service_fixture
        @dataclass(kw_only=True)
        class Rest(AiohttpService):
            host: str = "203.0.113.7"  # an address for documentation, which nobody has
            async def create_app(self):
                return web.Application()
        async def test_it(rest): ...
        """
    assert told_at_run(pytester, suite) == dedent(f"""\
        __________________________ ERROR at setup of test_it ___________________________
        E   OSError: [Errno 99] Cannot assign requested address
        {HIDDEN}
        The above exception was the direct cause of the following exception:
        E   looprig.ServiceStartError: Rest cannot listen on 203.0.113.7: [Errno 99] Cannot assign requested address.
              test_it.py:10: Rest
        {HIDDEN}""")
