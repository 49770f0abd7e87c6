"""Invalid toxics: the error says what is wrong, and how to write it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from looprig import DeclarationError, TcpProxy
from looprig.toxics import Effect, Flow, Latency, Send, Toxic
from looprig.toxics.udp import Loss
from tests.proxy.conftest import Run
from tests.proxy.peers import echoing, meet


@dataclass(frozen=True, slots=True)
class Mute(Toxic):
    """A toxic with a method that is never called."""

    def on_dat(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        yield Send(data)


class Bare(Toxic):
    """A toxic with a field that its constructor doesn't know."""

    rate: float = 1.0


@dataclass(frozen=True, slots=True)
class Returning(Toxic):
    """A toxic whose method is another kind of function."""

    says: object = None

    def on_data(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        return self.says  # type: ignore[return-value]


async def later() -> None:
    """A coroutine, as from an async method."""


@pytest.mark.parametrize(
    ("toxics", "told"),
    [
        (Latency(0.1), r"has toxics=Latency\(delay=0.1\), which is a single toxic"),
        ([Mute()], "Mute has none of on_start, on_data, on_eof"),
        ([[Latency(0.1)]], r"but isn't a toxic for TCP\.(?s:.*)Pass them one by one"),
        ([Loss(0.1)], r"Loss\(.*isn't a toxic for TCP\.(?s:.*)those for UDP in looprig\.toxics\.udp"),
    ],
)
def test_what_can_be_no_toxic_is_told_as_a_proxy_begins(run: Run, toxics: Any, told: str) -> None:
    async def scenario() -> None:
        with pytest.raises(DeclarationError, match=told):
            async with TcpProxy(("127.0.0.1", 1), toxics=toxics):
                raise AssertionError

    run(scenario())


def test_a_toxic_with_fields_has_to_be_a_dataclass() -> None:
    with pytest.raises(DeclarationError, match=r"Bare isn't a dataclass\.(?s:.*)Put @dataclass"):
        Bare()


@pytest.mark.parametrize("made", [Send, later])
def test_a_toxic_that_is_no_generator_is_told_how_to_be_one(run: Run, made: Callable[..., object]) -> None:
    async def scenario() -> None:
        said = made(b"x") if made is Send else made()
        async with echoing(Returning(says=said)) as proxy:
            assert (await meet(proxy.address, b"x")).was_reset
            (error,) = proxy.take_errors()
            assert "write its methods as generators" in str(error)

    run(scenario())
