"""The fixtures that looprig provides; each can be overridden in a conftest, module or class.

Opens no loops: `run.hosts` computes the value of `loop` for each request.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, AbstractEventLoopPolicy
    from concurrent.futures import ThreadPoolExecutor

    from looprig.aiomisc.proxy import AiomiscProxy
    from looprig.exceptions import AskError
    from looprig.net.ports import PortFactory
    from looprig.services.entrypoint import Entrypoint

__all__: list[str] = []


def _no_loop() -> "AskError":
    """Return the error for a run in which looprig runs no tests, so that `run.hosts` isn't loaded."""
    from looprig.exceptions import AskError  # noqa: PLC0415 - not before it fails

    return AskError(
        "looprig runs no loop here: it stands back, since another plugin claims all async tests.",
        (),
        "Use that plugin's own fixture, or have looprig run the tests: the header of the run says how.",
    )


@pytest.fixture(scope="session")
def loop() -> "AbstractEventLoop":
    """The event loop that the test and its fixtures run on. Fixtures of every scope may request it."""
    raise _no_loop()


@pytest.fixture(scope="session")
def event_loop() -> "AbstractEventLoop":
    """Another name for `loop`."""
    raise _no_loop()


@pytest.fixture(scope="session")
def loop_factory(request: pytest.FixtureRequest) -> "Callable[[], AbstractEventLoop]":
    """A factory of loops. Override it, parametrized or not, to run tests on other loops."""
    import asyncio  # noqa: PLC0415 - not before a test asks

    factory: Callable[[], AbstractEventLoop] = getattr(request, "param", asyncio.new_event_loop)
    return factory


@pytest.fixture(scope="session")
def thread_pool_executor() -> "Callable[[int], ThreadPoolExecutor]":
    """The class of the loops' executors, or a factory, which is called with the number of threads."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - not before a test asks

    return ThreadPoolExecutor


@pytest.fixture(scope="session")
def thread_pool_size(pytestconfig: pytest.Config) -> int:
    """The number of threads of each loop's executor: `--loop-pool-size`, by default 4."""
    size: int | None = pytestconfig.getoption("loop_pool_size")
    return size or int(pytestconfig.getini("loop_pool_size") or 4)


@pytest.fixture(scope="session")
def localhost() -> str:
    """The loopback address: 127.0.0.1, or ::1 on a machine without IPv4."""
    from looprig.net.ports import localhost as find  # noqa: PLC0415 - loads sockets only when a test requests this

    return find()


@pytest.fixture
def unused_port_factory() -> Iterator["PortFactory"]:
    """A factory of ports that are held until the test ends. No other process gets them, but a server can bind them."""
    from looprig.net.ports import PortFactory  # noqa: PLC0415 - sockets

    with PortFactory() as factory:
        yield factory


@pytest.fixture
def unused_port(unused_port_factory: "PortFactory") -> int:
    """A port that is held until the test ends."""
    return unused_port_factory()


@pytest.fixture
def aiomisc_unused_port_factory(localhost: object) -> Iterator[Callable[..., int]]:
    """A factory of ports like aiomisc's: bound on all addresses, and kept until the test ends."""
    from looprig.net.ports import WildcardPortFactory  # noqa: PLC0415 - sockets
    from looprig.net.ports import localhost as find  # noqa: PLC0415 - sockets

    # A suite's own `localhost` may return anything.
    with WildcardPortFactory(localhost if isinstance(localhost, str) else find()) as factory:
        yield factory


@pytest.fixture
def aiomisc_unused_port(aiomisc_unused_port_factory: Callable[..., int]) -> int:
    """A port from `aiomisc_unused_port_factory`."""
    return aiomisc_unused_port_factory()


@pytest.fixture
def services() -> Iterable[object]:
    """Service objects that are started before the test and stopped after it. Override it; none by default."""
    return ()


@pytest.fixture
def default_context() -> Mapping[str, object]:
    """The values in `looprig.current_context()` when the test begins. Override it; empty by default."""
    return {}


@pytest.fixture
def entrypoint_kwargs() -> Mapping[str, object]:
    """Options of the entrypoint: `start_timeout` in seconds, and those of aiomisc's entrypoint if aiomisc is used."""
    return {}


@pytest.fixture
async def entrypoint(
    services: object, default_context: Any, entrypoint_kwargs: Mapping[str, Any]
) -> AsyncIterator["Entrypoint"]:
    """The running entrypoint of `services`, with `default_context`. Every test uses it if a suite overrides either."""
    from looprig.services.entrypoint import entrypoint_of  # noqa: PLC0415 - asyncio

    async with entrypoint_of(services, default_context, entrypoint_kwargs) as running:
        yield running


@pytest.fixture(scope="session")
def tcp_proxy() -> "type[AiomiscProxy]":
    """A class of TCP proxies with the same API as aiomisc's, used as `tcp_proxy(host, port)`."""
    from looprig.aiomisc.proxy import AiomiscProxy  # noqa: PLC0415 - asyncio, not before a test asks

    return AiomiscProxy


def add_policy_fixture(session: pytest.Session) -> None:
    """Add the fixture `event_loop_policy`, unless pytest-asyncio is active.

    pytest-asyncio has a fixture of the same name. It would warn in each of its tests that this fixture is overridden,
    and would use looprig's policy.
    """
    if not any(session.config.pluginmanager.has_plugin(name) for name in ("asyncio", "pytest_asyncio.plugin")):
        pytest.register_fixture(name="event_loop_policy", func=_event_loop_policy, node=session, scope="session")


def _event_loop_policy() -> "AbstractEventLoopPolicy":
    """Return the policy that creates loops, for suites that come from aiomisc.

    Policies are deprecated since Python 3.14: prefer `loop_factory`.
    """
    import asyncio  # noqa: PLC0415 - not before a test asks
    import warnings  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return asyncio.get_event_loop_policy()  # pyright: ignore[reportDeprecated] # said above
