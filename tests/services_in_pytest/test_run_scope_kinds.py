"""Services of scope "run" of every kind, wherever they are declared, and what depends on them."""

import os
import re
from collections.abc import Mapping

import pytest

from tests.plugin.suite import output
from tests.services_in_pytest.sharing import HEAD, SERVICES, folders, notes, run_shared

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="sharing needs POSIX"),
    pytest.mark.usefixtures(folders.__name__),
]
pytest.importorskip("xdist", reason="needs pytest-xdist")


def test_every_kind_is_shared(pytester: pytest.Pytester) -> None:
    """An ASGI and a TCP server, and the three lifecycles of plain classes."""
    pytest.importorskip("uvicorn")
    pytest.importorskip("wsproto")
    result = run_shared(
        pytester,
        HEAD
        + """
    @service_fixture(scope="run")
    @dataclass(kw_only=True)
    class Asgi(AsgiService):
        async def create_app(self):
            note("start asgi")
            async def app(scope, receive, send):
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
            return app

    @service_fixture(scope="run")
    @dataclass(kw_only=True)
    class Tcp(TcpService):
        async def handle(self, reader, writer):
            writer.write(f"{os.getpid()}\\n".encode())

    class Plain:
        pid = 0
        def begin(self):
            self.pid = os.getpid()
            note("start", type(self).__name__)

    @service_fixture(scope="run")
    class Starts(Plain):
        async def start(self): self.begin()
        async def stop(self): note("stop Starts")

    @service_fixture(scope="run")
    class Runs(Plain):
        async def run(self):
            self.begin()
            yield
            note("stop Runs")

    @service_fixture(scope="run")
    class Enters(Plain):
        __slots__ = ("slot",)
        async def __aenter__(self):
            self.begin()
            self.slot = "full"
            return self
        async def __aexit__(self, *_): note("stop Enters")

    @pytest.mark.parametrize("number", range(4))
    async def test_it(
        api: TestClient[Asgi], tcp: Tcp, proxy: Proxy[Tcp], starts: Starts, runs: Runs, enters: Enters, number
    ):
        host = int((await api.get("/")).text)
        assert host != os.getpid()
        assert {starts.pid, runs.pid, enters.pid} == {host}
        assert enters.slot == "full"
        for address in (tcp.address, proxy.address):
            reader, writer = await asyncio.open_connection(*address)
            assert int(await reader.readline()) == host
            writer.close()
        with pytest.raises(Exception, match="isn't shared"):
            tcp.take_errors()
    """,
    )
    result.assert_outcomes(passed=4)
    assert sorted(notes(pytester, "start")) == ["Enters", "Runs", "Starts", "asgi"]
    assert sorted(notes(pytester, "stop")) == ["Enters", "Runs", "Starts"]


DECLARED = (
    HEAD
    + """
    from . import names
    from .names import NAME

    class Token:
        def __init__(self): self.of = os.getpid()

    @service_fixture(scope="run")
    class Named:
        name = ""
        async def start(self):
            note("start", NAME)
            self.name = names.NAME
            self.token = Token()
        async def stop(self): ...
    """
)
USES = """
    import os
    import sys
    import pytest
    @pytest.mark.parametrize("number", range(4))
    async def test_it(named, number):
        assert named.name == NAME
        assert type(named.token) is sys.modules[type(named).__module__].Token
        assert named.token.of != os.getpid()
    """


@pytest.mark.parametrize("mode", ["prepend", "append", "importlib"])
def test_its_class_is_found_in_conftests_of_packages(pytester: pytest.Pytester, mode: str) -> None:
    """Two conftests, with equal classes, which import a module beside them."""
    files = {
        "one/conftest.py": DECLARED,
        "one/names.py": "NAME = 'one'",
        "one/test_one.py": USES.replace("NAME", "'one'"),
        "two/conftest.py": DECLARED,
        "two/names.py": "NAME = 'two'",
        "two/test_two.py": USES.replace("NAME", "'two'"),
    }
    result = run_shared(pytester, files, f"--import-mode={mode}")
    result.assert_outcomes(passed=8)
    assert [*notes(pytester)] == []
    for name in ("one", "two"):
        assert (pytester.path / name / "notes").read_text("utf-8") == f"start {name}\n"


ALONE: Mapping[str, str] = {
    name: (
        HEAD
        + f"""
    @service_fixture(scope="run")
    class Named:
        name = ""
        async def start(self):
            note("start {name}")
            self.name = "{name}"
        async def stop(self): ...
    """
    )
    for name in ("one", "two")
}


@pytest.mark.parametrize("mode", ["prepend", "importlib"])
def test_its_class_is_found_in_conftests_without_packages(pytester: pytest.Pytester, mode: str) -> None:
    """With `prepend`, both of them are modules called `conftest`."""
    for name, text in ALONE.items():
        folder = pytester.mkdir(name)
        (folder / "conftest.py").write_text(re.sub("^    ", "", text, flags=re.MULTILINE), "utf-8")
        (folder / f"test_{name}.py").write_text(
            f"import pytest\n@pytest.mark.parametrize('number', range(4))\n"
            f"async def test_it(named, number): assert named.name == {name!r}\n",
            "utf-8",
        )
    result = run_shared(pytester, {}, f"--import-mode={mode}")
    result.assert_outcomes(passed=8)
    for name in ALONE:
        assert (pytester.path / name / "notes").read_text("utf-8") == f"start {name}\n"


def test_narrower_services_and_fixtures_depend_on_it_and_it_takes_values_of_the_suite(
    pytester: pytest.Pytester,
) -> None:
    result = run_shared(
        pytester,
        HEAD
        + """
    @service_fixture(scope="run")
    @dataclass(kw_only=True)
    class Db:
        dsn: str
        users: list[str]
        size: int = 3
        where: int = field(default=0, init=False)
        async def start(self):
            note("start db")
            self.where = os.getpid()
        async def stop(self): ...

    @service_fixture(scope="session")
    @dataclass(kw_only=True)
    class OfWorker:
        db: Db
        async def start(self): note("start of", self.db.where)
        async def stop(self): ...

    @pytest.fixture(scope="session")
    def dsn(): return "db://"

    @pytest.fixture(scope="session")
    def users(): return ["ann", "bob"]

    @pytest.fixture
    async def place(db: Db): return db.where

    @pytest.mark.parametrize("number", range(4))
    async def test_it(of_worker: OfWorker, place, number):
        assert of_worker.db.where == place != os.getpid()
        assert (of_worker.db.dsn, of_worker.db.users, of_worker.db.size) == ("db://", ["ann", "bob"], 3)
    """,
    )
    result.assert_outcomes(passed=4)
    started = notes(pytester, "start")
    assert started[0] == "db"
    assert len(started) == 3
    assert started[1] == started[2]


def test_it_starts_once_even_if_a_worker_needs_it_after_all_others_have_left(pytester: pytest.Pytester) -> None:
    result = run_shared(
        pytester,
        {
            "services.py": SERVICES,
            "test_first.py": """
                from services import Rest
                async def test_it(rest: Rest): assert rest.token
                """,
            "test_second.py": """
                import time
                from services import Rest, NOTES
                def test_waits_until_the_other_worker_has_left():
                    while not NOTES.exists() or "left" not in NOTES.read_text():
                        time.sleep(0.01)
                async def test_it(rest: Rest): assert rest.token
                """,
            "conftest.py": """
                def pytest_unconfigure(config):
                    if hasattr(config, "workerinput"):
                        from services import note
                        note("left")
                """,
        },
        "--dist=loadfile",
    )
    result.assert_outcomes(passed=3)
    assert [line.split()[0] for line in notes(pytester)] == [
        *("start", "server", "start", "host"),
        "left",
        *("stop", "stop"),
        "left",
    ]


def test_the_plan_calls_it_by_its_scope(pytester: pytest.Pytester) -> None:
    result = run_shared(
        pytester,
        SERVICES
        + """
    async def test_it(rest: Rest): ...
    """,
        "--explain-loops",
        "-v",
    )
    result.assert_outcomes(passed=1)
    text = output(result)
    assert re.search(r"session loop: 1 test ", text)
    assert re.search(r"Rest \(scope run\) <- test_it\.py:\d+", text)
    assert re.search(r"Server \(scope run\) <- test_it\.py:\d+", text)


def test_a_report_shows_what_a_process_and_the_host_printed_during_the_test(pytester: pytest.Pytester) -> None:
    result = run_shared(
        pytester,
        HEAD
        + """
    @service_fixture(scope="run")
    @dataclass(kw_only=True)
    class Files(ProcessService):
        def command(self) -> Sequence[str]:
            return [sys.executable, "-u", "-m", "http.server", str(self.port), "--bind", self.host]
        async def ready(self) -> bool:
            return "Serving HTTP" in self.output
        @property
        def url(self) -> str:
            return f"http://{self.host}:{self.port}"

    @service_fixture(scope="run")
    @dataclass(kw_only=True)
    class Rest(AiohttpService):
        async def create_app(self) -> web.Application:
            app = web.Application()
            app.router.add_get("/{name}", self.answer)
            return app
        async def answer(self, request: web.Request) -> web.Response:
            print("asked for", request.match_info["name"])
            return web.Response()

    @pytest.mark.parametrize("name", ["one", "two"])
    async def test_it(pages: TestClient[Files], api: TestClient[Rest], name):
        await pages.get(f"/{name}")
        await api.get(f"/{name}")
        assert f"GET /{name}" in pages.service.output_of_test
        assert "Serving HTTP" in pages.service.output
        assert name == "one"
    """,
        workers=1,
    )
    result.assert_outcomes(passed=1, failed=1)
    text = output(result)
    assert re.search(
        r"- Output of Files during this test \(test_it\.py:\d+\) -+\n.*\n.*\"GET /two HTTP/1\.1\" 404", text
    )
    title = r'Output of the process that runs \w+ \(scope "run"\) during this test \(test_it\.py:\d+\)'
    assert re.search(rf"- {title} -+\nasked for two\n", text)
    assert "GET /one" not in text
