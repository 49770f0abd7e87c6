"""The parts of the proxy by themselves, for situations that a whole proxy meets only by chance."""

import asyncio
import socket
from typing import Any

from looprig.net.udp.chain import Stage
from looprig.net.udp.endpoint import Endpoint
from looprig.net.udp.rng import DatagramRng
from looprig.net.udp.schedule import Schedule
from looprig.net.udp.sender import Sender, clock
from looprig.toxics.flow import Flow
from looprig.toxics.rule import ConnectionInfo
from looprig.toxics.udp import Latency
from tests.udp.conftest import Run
from tests.udp.peers import Service


def _stage() -> Stage:
    rng = DatagramRng(1, 0, "upstream", "Latency")
    return Stage(Latency(1.0), Flow(ConnectionInfo(0, ""), "upstream", rng), rng, "Latency")


def _ignore(*_: object) -> None:
    pass


def _popped(schedule: Schedule[None]) -> list[bytes]:
    popped: list[bytes] = []
    while schedule:
        popped.append(schedule.pop().data)
    return popped


def test_what_is_due_at_the_same_time_keeps_its_order() -> None:
    schedule: Schedule[None] = Schedule()
    for number in range(10):
        schedule.push(b"%d" % number, 5.0, (), None)
    assert _popped(schedule) == [b"%d" % number for number in range(10)]


def test_what_came_at_the_same_time_is_in_its_order_again_when_delays_go() -> None:
    """Adding a delay and subtracting it again would leave a rounding error."""
    schedule: Schedule[None] = Schedule()
    stage = _stage()
    for number in range(10):
        schedule.push(b"%d" % number, 0.1, ((stage, 0.7 - number / 17),), None)
    stage.is_off = True
    schedule.refresh()
    assert _popped(schedule) == [b"%d" % number for number in range(10)]


def test_a_datagram_is_sent_though_the_kernel_tells_of_an_earlier_one_in_its_place(run: Run) -> None:
    async def scenario() -> None:
        with Service() as gone:
            address = gone.address
        errors: list[OSError] = []
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect(address)
        endpoint = Endpoint(sock, _ignore, errors.append)
        assert endpoint.send(b"into the void", None)
        with Service(*address) as service:
            assert endpoint.send(b"here", None)
            assert await service.has(1) == [b"here"]
        assert [type(error) for error in errors] == [ConnectionRefusedError]
        await endpoint.wait_closed()
        assert sock.fileno() == -1

    run(scenario())


def test_what_the_kernel_takes_none_of_for_now_is_sent_later_in_its_order(run: Run) -> None:
    """Loopback never does this, so the path is blocked here at first."""

    class Pipe:
        def __init__(self) -> None:
            self.connection = self
            self.is_open = True
            self.held = 0
            self.refusals = 3
            self.sent: list[bytes] = []
            self.has_all = asyncio.Event()

        def send(self, data: bytes) -> bool:
            if self.refusals:
                self.refusals -= 1
                return False
            self.sent.append(data)
            if len(self.sent) == 3:
                self.has_all.set()
            return True

    def failed(*_: object) -> None:
        raise AssertionError

    async def scenario() -> None:
        sender = Sender(failed)
        pipe: Any = Pipe()
        for data in (b"1", b"2", b"3"):
            sender.add(data, clock(), (), pipe)
            sender.release()
        async with asyncio.timeout(20):
            await pipe.has_all.wait()
        assert pipe.sent == [b"1", b"2", b"3"]
        assert pipe.held == 0

    run(scenario())
