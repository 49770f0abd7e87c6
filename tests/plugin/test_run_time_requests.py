"""Requests at run time, with `getfixturevalue` or `ask`: loops, context variables, crashes."""

import pytest

from tests.plugin.suite import output, run

HEAD = """
import asyncio
from contextvars import ContextVar

import pytest
from looprig import ask

user = ContextVar("user", default="nobody")

@pytest.fixture
async def login():
    user.set("ada")
    yield

@pytest.fixture
def sync_login():
    user.set("bob")
    yield

@pytest.fixture(scope="session")
def wide():
    return user.get()
"""
SERVER = """
@pytest.fixture(scope="module")
async def server():
    crash = asyncio.Event()
    crash.loop = asyncio.get_running_loop()

    async def serve():
        await crash.wait()
        raise OSError("gone")

    async with asyncio.TaskGroup() as group:
        serving = group.create_task(serve())
        yield crash
        serving.cancel()

@pytest.fixture(scope="module")
async def joined():
    yield

@pytest.fixture(scope="module")
def client(request):
    return request.getfixturevalue("server")

async def test_before(server, client, joined): ...
"""


def test_what_is_asked_for_sees_nothing_of_the_test(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
def test_sync(sync_login, request):
    assert request.getfixturevalue("wide") == "nobody"

async def test_async(login, request):
    user.set("mine")
    assert request.getfixturevalue("wide") == "nobody"
""",
    ).assert_outcomes(passed=2)


def test_whoever_asks_sees_what_it_sets(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
@pytest.fixture
def asks(request):
    request.getfixturevalue("sync_login")
    return user.get()

def test_async_one(request):
    request.getfixturevalue("login")
    assert user.get() == "ada"

def test_sync_one(request):
    request.getfixturevalue("sync_login")
    assert user.get() == "bob"

def test_a_fixture_asks(asks):
    assert asks == "bob" == user.get()

async def test_nobody():
    assert user.get() == "nobody"
""",
    ).assert_outcomes(passed=4)


def test_asking_again_sets_nothing_again(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
@pytest.fixture
async def admin(login):
    user.set(user.get() + ", the admin")
    yield

@pytest.fixture
async def greeting(login):
    return "hello"

async def test_of_a_fixture_below(admin):
    await ask("greeting")
    assert user.get() == "ada, the admin"

async def test_of_what_the_test_has(login):
    user.set("mine")
    await ask("login")
    assert user.get() == "mine"
""",
    ).assert_outcomes(passed=2)


@pytest.mark.parametrize("before", ["", "test_before"], ids=["alone", "alive already"])
def test_a_wide_fixture_that_asked_hands_nothing_of_another_loop_on(pytester: pytest.Pytester, before: str) -> None:
    result = run(
        pytester,
        HEAD + SERVER + "\nasync def test_uses(client):\n    assert client.loop is asyncio.get_running_loop()\n",
        f"-k{before or 'test_uses'} or test_uses",
    )
    result.assert_outcomes(errors=1, passed=1 if before else 0, deselected=0 if before else 1)
    assert "lives on another loop than the test" in output(result)


def test_a_crash_under_what_a_fixture_asked_for_fails_the_test(pytester: pytest.Pytester) -> None:
    """Even if the fixture was alive before the request."""
    result = run(
        pytester,
        HEAD
        + SERVER
        + """
@pytest.mark.loop_timeout(20)
async def test_it(client, joined):
    client.set()
    await asyncio.sleep(3600)
""",
    )
    result.assert_outcomes(passed=1, failed=1)
    assert "FixtureCrashedError: Fixture server crashed while it was in use: OSError: gone" in output(result)
