"""Context variables: what a fixture sets is visible to everything that depends on it, and to nothing else."""

import pytest

from tests.plugin.suite import run

HEAD = """
import asyncio
import contextvars
import pytest

var = contextvars.ContextVar("var", default="unset")
other = contextvars.ContextVar("other", default="unset")
"""


@pytest.mark.parametrize("scope", ["function", "class", "module", "package", "session"])
@pytest.mark.parametrize("setter", ["async", "async yield", "sync", "sync yield"])
def test_dependents_of_every_kind_see_what_a_fixture_sets(pytester: pytest.Pytester, setter: str, scope: str) -> None:
    prefix = "async " if "async" in setter else ""
    end = "yield 'value'" if "yield" in setter else "return 'value'"
    run(
        pytester,
        HEAD
        + f"""
@pytest.fixture(scope="{scope}")
{prefix}def setter():
    var.set("set")
    {end}

@pytest.fixture
def sync_dependent(setter):
    assert var.get() == "set"
    yield
    assert var.get() == "set"

@pytest.fixture
async def async_dependent(setter):
    assert var.get() == "set"
    yield
    assert var.get() == "set"

@pytest.fixture(scope="{scope}")
async def second_hand(setter):
    return var.get()

@pytest.fixture
def stranger():
    assert var.get() == "unset"
    yield
    assert var.get() == "unset"

@pytest.fixture
async def async_stranger():
    assert var.get() == "unset"
    yield
    assert var.get() == "unset"

async def test_async(stranger, async_stranger, sync_dependent, async_dependent, second_hand):
    assert var.get() == second_hand == "set"

def test_sync(stranger, async_stranger, sync_dependent, async_dependent, second_hand):
    assert var.get() == second_hand == "set"

async def test_stranger(async_stranger, stranger):
    assert var.get() == "unset"

def test_sync_stranger(stranger):
    assert var.get() == "unset"
""",
    ).assert_outcomes(passed=4)


def test_a_fixture_resets_in_its_teardown_what_it_set(pytester: pytest.Pytester) -> None:
    """`ContextVar.reset` accepts a token only in the context that created it."""
    run(
        pytester,
        HEAD
        + """
@pytest.fixture(scope="module")
async def wide():
    token = var.set("wide")
    yield
    assert var.get() == "wide"
    var.reset(token)
    assert var.get() == "unset"

@pytest.fixture
def sync(wide):
    token = other.set("sync")
    yield
    var.get() == "wide"
    other.reset(token)

@pytest.fixture
async def narrow(wide):
    token = var.set("narrow")
    yield
    assert var.get() == "narrow"
    var.reset(token)
    assert var.get() == "wide"

async def test_it(sync, narrow):
    assert (var.get(), other.get()) == ("narrow", "sync")

async def test_again(wide):
    assert (var.get(), other.get()) == ("wide", "unset")
""",
    ).assert_outcomes(passed=2)


def test_a_dependents_change_goes_over_that_of_what_it_depends_on(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
@pytest.fixture
async def first():
    var.set("first")

@pytest.fixture
def second(first):
    var.set(var.get() + " second")

@pytest.fixture
async def third(second):
    var.set(var.get() + " third")
    yield

async def test_it(third, second, first):
    assert var.get() == "first second third"

async def test_part(second):
    assert var.get() == "first second"
""",
    ).assert_outcomes(passed=2)


def test_what_autouse_fixtures_set_is_seen_by_all_around(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
@pytest.fixture(autouse=True, scope="module")
async def wide():
    var.set("wide")
    yield

@pytest.fixture(autouse=True)
def narrow():
    assert var.get() == "wide"
    other.set("narrow")

@pytest.fixture
async def late():
    assert (var.get(), other.get()) == ("wide", "narrow")
    yield
    assert (var.get(), other.get()) == ("wide", "narrow")

@pytest.fixture(scope="module")
def as_wide():
    assert (var.get(), other.get()) == ("wide", "unset")

async def test_async(late, as_wide):
    assert (var.get(), other.get()) == ("wide", "narrow")

def test_sync(late, as_wide):
    assert (var.get(), other.get()) == ("wide", "narrow")
""",
    ).assert_outcomes(passed=2)


def test_what_usefixtures_sets_is_seen_by_the_test(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
@pytest.fixture
async def setter():
    var.set("set")

@pytest.mark.usefixtures("setter")
async def test_it():
    assert var.get() == "set"
""",
    ).assert_outcomes(passed=1)


@pytest.mark.parametrize("prefix", ["async ", ""])
def test_what_a_test_sets_is_gone_after_it(pytester: pytest.Pytester, prefix: str) -> None:
    run(
        pytester,
        HEAD
        + f"""
@pytest.fixture(scope="module")
async def wide():
    yield
    assert var.get() == "unset"

@pytest.fixture
def sync():
    yield
    assert var.get() == "unset"

@pytest.mark.parametrize("number", [1, 2])
{prefix}def test_it(wide, sync, number):
    assert var.get() == "unset"
    var.set("by a test")
""",
    ).assert_outcomes(passed=2)


def test_a_fixture_asked_for_by_a_sync_one_hands_on_what_it_set(pytester: pytest.Pytester) -> None:
    """With `getfixturevalue`, the requesting fixture depends on it, and so does everything that depends on that."""
    run(
        pytester,
        HEAD
        + """
@pytest.fixture
async def setter():
    assert other.get() == "unset"  # it does not depend on who asks for it
    var.set("set")
    yield
    assert (var.get(), other.get()) == ("set", "unset")

@pytest.fixture
def asker(request):
    other.set("asker")
    request.getfixturevalue("setter")

@pytest.fixture
async def dependent(asker):
    assert (var.get(), other.get()) == ("set", "asker")

async def test_it(dependent):
    assert (var.get(), other.get()) == ("set", "asker")
""",
    ).assert_outcomes(passed=1)


def test_a_fixture_that_is_asked_for_brings_what_it_set(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
from looprig.runtime.ask import ask

@pytest.fixture
async def setter():
    var.set("set")

async def test_it():
    assert var.get() == "unset"
    await ask("setter")
    assert var.get() == "set"

async def test_other():
    assert var.get() == "unset"
""",
    ).assert_outcomes(passed=2)


def test_finalizers_run_in_the_context_of_their_fixture(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
@pytest.fixture
def sync(request):
    token = var.set("set")
    request.addfinalizer(lambda: var.reset(token))

@pytest.fixture
async def narrow(request):
    request.addfinalizer(lambda: None)

def test_sync(sync, narrow):
    assert var.get() == "set"

async def test_async(sync):
    assert var.get() == "set"
""",
    ).assert_outcomes(passed=2)


def test_an_autouse_fixture_is_around_the_others_also_where_the_test_names_it(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
@pytest.fixture(autouse=True)
async def around():
    var.set("set")
    yield

@pytest.fixture
def other():
    return var.get()

@pytest.fixture
async def async_other():
    return var.get()

async def test_unnamed(other, async_other):
    assert other == async_other == "set"

async def test_named(around, other, async_other):
    assert other == async_other == "set"
""",
    ).assert_outcomes(passed=2)


def test_a_finalizer_that_an_async_fixture_adds_sees_what_the_fixture_set(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
seen = []

@pytest.fixture
async def setter(request):
    request.addfinalizer(lambda: seen.append(var.get()))
    var.set("set")
    yield

async def test_it(setter): ...

def test_seen():
    assert seen == ["set"]
""",
    ).assert_outcomes(passed=2)
