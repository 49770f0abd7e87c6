"""Overrides of `loop_factory`, `event_loop_policy` and the executor, and declarations by `loop_config`."""

import pytest

from tests.plugin.suite import output, run

FACTORIES = """
import asyncio
import pytest
uvloop = pytest.importorskip("uvloop")

def kind():
    return type(asyncio.get_running_loop()).__module__.partition(".")[0]

life = []
"""
WIDE = """
@pytest.fixture(scope="module")
async def wide():
    me = kind()
    life.append(f"up {me}")
    yield me
    assert kind() == me
    life.append(f"down {me}")

async def test_one(wide):
    assert kind() == wide

async def test_two(wide):
    assert kind() == wide

async def test_own():
    life.append(kind())
"""


@pytest.mark.parametrize("scope", ["function", "module", "session"])
def test_loop_factory_may_be_overridden_at_every_scope(pytester: pytest.Pytester, scope: str) -> None:
    run(
        pytester,
        FACTORIES
        + f"""
@pytest.fixture(scope="{scope}")
def loop_factory():
    return uvloop.new_event_loop

@pytest.fixture
async def narrow():
    yield kind()

async def test_it(narrow):
    assert narrow == kind() == "uvloop"
""",
    ).assert_outcomes(passed=1)


def test_it_is_overridden_in_each_module_anew(pytester: pytest.Pytester) -> None:
    files = {
        "test_a.py": FACTORIES
        + """
@pytest.fixture(scope="module")
def loop_factory():
    return uvloop.new_event_loop
"""
        + WIDE
        + "def test_last():\n    assert life == ['up uvloop', 'uvloop']\n",
        "test_b.py": FACTORIES + WIDE + "def test_last():\n    assert life == ['up asyncio', 'asyncio']\n",
    }
    run(pytester, files).assert_outcomes(passed=8)


def test_a_parametrized_factory_sets_wide_fixtures_up_once_for_each_kind(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        FACTORIES
        + """
@pytest.fixture(scope="module", params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def loop_factory(request):
    return request.param
"""
        + WIDE
        + """
def test_last():
    assert life == ["up asyncio", "asyncio", "down asyncio", "up uvloop", "uvloop"]
""",
        "-v",
    )
    result.assert_outcomes(passed=7)
    result.stdout.fnmatch_lines_random(["*::test_one?asyncio? PASSED*", "*::test_one?uvloop? PASSED*"])
    assert "test_last PASSED" in output(result)  # a sync test doesn't run twice


def test_a_policy_may_stand_in_its_place(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        FACTORIES
        + """
class Policy:
    def new_event_loop(self):
        life.append("policy")
        return asyncio.new_event_loop()

@pytest.fixture(params=[Policy()], ids=["mine"])
def event_loop_policy(request):
    return request.param

async def test_it():
    assert life == ["policy"]
""",
    ).assert_outcomes(passed=1)


def test_a_test_may_be_parametrized_with_it(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        FACTORIES
        + """
@pytest.mark.parametrize("loop_factory", [uvloop.new_event_loop], ids=["uvloop"])
async def test_uvloop(loop_factory):
    assert kind() == "uvloop"

async def test_asyncio():
    assert kind() == "asyncio"
""",
    ).assert_outcomes(passed=2)


def test_factories_that_contradict_each_other_on_one_loop_are_told(pytester: pytest.Pytester) -> None:
    files = {
        "conftest.py": """
            import pytest

            @pytest.fixture(scope="session")
            async def shared():
                yield
            """,
        **{
            f"test_{name}.py": f"""
            import asyncio
            import pytest

            @pytest.fixture(scope="session")
            def loop_factory():
                return asyncio.new_event_loop

            async def test_{name}(shared):
                pass
            """
            for name in "ab"
        },
    }
    result = run(pytester, files)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    expected = """\
The session loop of the session has conflicting loop factory declarations: loop_factory.
  test_a.py:5: loop_factory
  test_b.py:5: loop_factory
  conftest.py:4: shared (scope "session")
"""
    text = output(result).replace("ERROR: ", "")
    for line in expected.splitlines()[1:]:
        assert line in text
    assert "has conflicting loop factory declarations" in text


def test_a_factory_that_is_too_narrow_is_told(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import asyncio
        import pytest

        @pytest.fixture
        def loop_factory():
            return asyncio.new_event_loop

        @pytest.fixture(scope="module")
        async def rest():
            yield

        async def test_it(rest):
            pass
        """,
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    text = output(result)
    assert 'loop_factory has scope "function", but rest shares its loop' in text
    assert 'Give loop_factory scope="module", or narrow rest to scope="function".' in text


def test_the_executor_is_that_of_the_suite(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        """
        import asyncio
        import threading
        from concurrent.futures import ThreadPoolExecutor
        import pytest

        made = []

        class Pool(ThreadPoolExecutor):
            def __init__(self, size):
                made.append(size)
                super().__init__(size, thread_name_prefix="mine")

        @pytest.fixture(scope="module")
        def thread_pool_executor():
            return Pool

        @pytest.fixture(scope="module")
        def thread_pool_size():
            return 3

        @pytest.fixture(scope="module")
        async def wide():
            return await asyncio.to_thread(lambda: threading.current_thread().name)

        async def test_it(wide):
            assert wide.startswith("mine")

        async def test_own():
            assert (await asyncio.to_thread(lambda: threading.current_thread().name)).startswith("mine")
            assert made == [3, 3]
        """,
    ).assert_outcomes(passed=2)


def test_options_choose_factory_debug_and_pool_size(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        FACTORIES
        + """
async def test_it():
    loop = asyncio.get_running_loop()
    assert kind() == "uvloop"
    assert loop.get_debug()
""",
        "--loop-factory=uvloop",
        "--loop-debug",
        "--loop-pool-size=2",
    ).assert_outcomes(passed=1)


def test_a_wrong_factory_is_told(pytester: pytest.Pytester) -> None:
    result = run(pytester, "async def test_it():\n    pass\n", "--loop-factory=no.such:thing")
    assert "passed" not in result.parseoutcomes()
    assert "Give asyncio, uvloop, or module:callable" in output(result)


def test_loop_config_widens_loops_and_names_factories(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        FACTORIES
        + """
from looprig.declare.loop_config import loop_config

loops = loop_config(
    scope="module", factories={"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
)
seen = {}

async def test_one():
    seen[kind()] = asyncio.get_running_loop()

async def test_two():
    assert seen[kind()] is asyncio.get_running_loop()
""",
        "-v",
    )
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines_random(["*test_two?asyncio?*", "*test_two?uvloop?*"])


def test_loop_config_that_contradicts_another_is_told(pytester: pytest.Pytester) -> None:
    module = """
        import asyncio
        from looprig.declare.loop_config import loop_config

        def new():
            return asyncio.new_event_loop()

        loops = loop_config(factory=new)

        async def test_it(shared):
            pass
        """
    files = {
        "conftest.py": """
            import pytest

            @pytest.fixture(scope="session")
            async def shared():
                yield
            """,
        "test_a.py": module,
        "test_b.py": module,
    }
    result = run(pytester, files)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    text = output(result)
    for word in ("conflicting loop factory declarations", "test_a.py:8: loop_config", "test_b.py:8: loop_config"):
        assert word in text


def test_loop_config_is_one_declaration_for_all_modules_below(pytester: pytest.Pytester) -> None:
    files = {
        "conftest.py": """
            import asyncio
            import pytest
            from looprig.declare.loop_config import loop_config

            made = []

            def new():
                made.append(1)
                return asyncio.new_event_loop()

            loops = loop_config(factory=new, debug=True)

            @pytest.fixture(scope="session")
            async def shared():
                yield made
            """,
        "a/test_a.py": "async def test_a(shared):\n    assert shared == [1]\n",
        "b/test_b.py": "async def test_b(shared):\n    assert shared == [1]\n",
    }
    run(pytester, files).assert_outcomes(passed=2)


@pytest.mark.parametrize("place", ["fixture", "factory"])
def test_what_fails_on_one_kind_of_loop_is_tried_anew_on_the_next(pytester: pytest.Pytester, place: str) -> None:
    fails = 'if kind == "bad": raise OSError("bad loop")'
    result = run(
        pytester,
        f"""
import asyncio
import pytest

@pytest.fixture(scope="module", params=["bad", "good"])
def loop_factory(request):
    kind = request.param
    def make():
        {fails if place == "factory" else "..."}
        loop = asyncio.new_event_loop()
        loop.kind = kind
        return loop
    return make

@pytest.fixture(scope="module")
async def wide():
    kind = asyncio.get_running_loop().kind
    {fails if place == "fixture" else "..."}
    yield

async def test_it(wide): ...
""",
    )
    result.assert_outcomes(passed=1, errors=1)


@pytest.mark.parametrize(
    ("factory", "told"),
    [
        ("nope", "--loop-factory=nope: "),
        ("os:nothing", "--loop-factory=os:nothing: "),
        ("os:sep", "--loop-factory=os:sep: sep cannot be called. Give asyncio, uvloop, or module:callable."),
    ],
)
def test_a_factory_that_is_none_is_told_before_any_test_runs(
    pytester: pytest.Pytester, factory: str, told: str
) -> None:
    result = run(pytester, "async def test_it(): ...", f"--loop-factory={factory}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert told in output(result)


def test_a_factory_that_makes_no_loop_is_told(pytester: pytest.Pytester) -> None:
    result = run(pytester, "async def test_it(): ...", "--loop-factory=os:getpid")
    result.assert_outcomes(failed=1)
    assert "The loop factory returned" in output(result)
    assert "which isn't an event loop" in output(result)
