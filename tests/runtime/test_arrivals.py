"""Signals that Python doesn't get to handle are sent once more; signals with other handlers are left alone."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

import pytest

from looprig.runtime.arrivals import Arrivals
from looprig.runtime.clock import Alarm, now

if sys.platform == "win32":
    pytest.skip("signals of POSIX", allow_module_level=True)

NUMBER = signal.SIGUSR1
LONGER_THAN_ITS_PATIENCE = 0.8


@pytest.fixture
def arrivals() -> Iterator[Arrivals]:
    before = signal.set_wakeup_fd(-1)  # the run of this test may have one itself
    arrivals = Arrivals((NUMBER,))
    arrivals.listen()
    yield arrivals
    arrivals.close()
    signal.set_wakeup_fd(before)


@pytest.fixture
def handle() -> Iterator[Callable[[Callable[[], None]], None]]:
    before = signal.getsignal(NUMBER)

    def install(handler: Callable[[], None]) -> None:
        def call(_number: int, _frame: FrameType | None) -> None:
            handler()

        signal.signal(NUMBER, call)

    yield install
    signal.signal(NUMBER, before)


def wait_for_patience() -> None:
    over = threading.Event()
    Alarm(now() + LONGER_THAN_ITS_PATIENCE, over.set)
    assert over.wait(30)


def test_a_signal_that_is_not_handled_comes_once_more(
    arrivals: Arrivals, handle: Callable[[Callable[[], None]], None]
) -> None:
    came: list[int] = []
    again = threading.Event()

    def handler() -> None:
        came.append(1)
        if len(came) == 2:  # the first time, pretend that Python didn't get to it
            arrivals.handled()
            again.set()

    handle(handler)
    os.kill(os.getpid(), NUMBER)
    assert again.wait(30)


def test_a_signal_that_is_handled_comes_once(arrivals: Arrivals, handle: Callable[[Callable[[], None]], None]) -> None:
    came: list[int] = []

    def handler() -> None:
        came.append(1)
        arrivals.handled()

    handle(handler)
    os.kill(os.getpid(), NUMBER)
    wait_for_patience()
    assert came == [1]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of a fork beside threads
def test_the_signals_of_a_forked_child_are_its_own(
    arrivals: Arrivals, handle: Callable[[Callable[[], None]], None]
) -> None:
    """A signal that ends a test's child must not end the run."""
    came: list[int] = []
    handle(lambda: came.append(1))
    child = os.fork()
    if child == 0:
        os.kill(os.getpid(), NUMBER)
        os._exit(0 if came == [1] else 1)
    assert os.waitpid(child, 0)[1] == 0
    wait_for_patience()
    assert came == []


def test_where_others_listen_nothing_is_changed() -> None:
    import socket

    written, read = socket.socketpair()
    written.setblocking(False)
    with written, read:
        before = signal.set_wakeup_fd(written.fileno())
        try:
            arrivals = Arrivals((NUMBER,))
            arrivals.listen()
            arrivals.close()
        finally:
            assert signal.set_wakeup_fd(before) == written.fileno()
