"""When a run loads the rest of the plugin: early enough for all declarations, and without reading foreign objects."""

import pytest

from tests.plugin.suite import output, run_apart

BESIDE = pytest.mark.parametrize("beside", ["", "async def test_beside(): ..."], ids=["alone", "beside an async test"])
SERVICES = """
import pytest

class Thing:
    is_started = False

    async def start(self):
        self.is_started = True

    async def stop(self, _=None): ...

THING = Thing()
"""


@BESIDE
@pytest.mark.parametrize("autouse", [False, True])
def test_a_doctest_uses_services_of_its_folders_conftest(
    pytester: pytest.Pytester, beside: str, *, autouse: bool
) -> None:
    """Nothing in the folder is a module that could be looked at first."""
    files = {
        "sub/conftest.py": f"""
            from looprig import service_fixture

            started = []

            @service_fixture(scope="session", autouse={autouse})
            class Rest:
                async def start(self): started.append(self)
                async def stop(self): ...
            """,
        "sub/a_doc.txt": ">>> import sys\n>>> len(sys.modules['sub.conftest'].started)\n1\n"
        if autouse
        else ">>> type(getfixture('rest')).__name__\n'Rest'\n",
        "test_zz.py": beside,
    }
    result = run_apart(pytester, files, "--doctest-glob=*.txt")
    assert result.ret == 0, output(result)


@BESIDE
@pytest.mark.parametrize(
    "files",
    [
        pytest.param(
            {"conftest.py": SERVICES + "\n@pytest.fixture\ndef services():\n    import aiomisc\n    return [THING]"},
            id="conftest",
        ),
        pytest.param(
            {
                "conftest.py": SERVICES,
                "test_it.py": "import pytest\nfrom conftest import THING\n"
                "@pytest.fixture(name='services')\ndef _():\n    import aiomisc\n    return [THING]\n",
            },
            id="by another name",
        ),
    ],
)
def test_the_dialect_is_seen_where_nothing_of_it_is_imported_yet(
    pytester: pytest.Pytester, files: dict[str, str], beside: str
) -> None:
    pytest.importorskip("aiomisc")
    test = "\ndef test_it():\n    from conftest import THING\n    assert THING.is_started\n"
    whole = {**files, "test_it.py": files.get("test_it.py", "") + test, "test_zz.py": beside}
    result = run_apart(pytester, whole)
    assert result.ret == 0, output(result)


@BESIDE
def test_a_proxy_that_is_first_imported_by_a_sync_test_has_the_seed_of_the_run(
    pytester: pytest.Pytester, beside: str
) -> None:
    suite = """
        import asyncio
        import looprig

        def test_it():
            async def seed():
                async with looprig.TcpProxy(("127.0.0.1", 9)) as proxy:
                    return proxy.seed
            assert asyncio.run(seed()) == 7
        """
    result = run_apart(pytester, {"test_it.py": suite, "test_zz.py": beside}, "--proxy-seed=7")
    assert result.ret == 0, output(result)


@BESIDE
@pytest.mark.parametrize("getobj", ["", "    def _getobj(self): return Slots()"], ids=["no module", "an object"])
def test_modules_of_a_suites_own_kind_are_left_alone(pytester: pytest.Pytester, beside: str, getobj: str) -> None:
    conftest = f"""
import pytest

class Slots:
    __slots__ = ()

class Kind(pytest.Module):
{getobj}
    def collect(self):
        yield pytest.Function.from_parent(self, name="test_f", callobj=test_f)

def test_f(): ...

def pytest_collect_file(file_path, parent):
    return Kind.from_parent(parent, path=file_path) if file_path.suffix == ".yaml" else None
"""
    result = run_apart(pytester, {"conftest.py": conftest, "a.yaml": "", "test_zz.py": beside})
    assert result.ret == 0, output(result)
