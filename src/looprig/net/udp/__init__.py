"""The UDP proxy. It carries out the effects of the toxics in `looprig.toxics.udp`.

Reading order: `rng` (random numbers), `chain` (a datagram's way through the toxics), `schedule` (held datagrams),
`endpoint` (a socket), `connection` (one client and the service), `sender` (sending datagrams when they are due), `link`
(all of it together), `controls` (what users call), `proxy` (a proxy in front of an address). The parts shared with TCP
are in `net.faults`.
"""

from looprig.net.udp.controls import ProxyConnection as ProxyConnection

__all__ = ["ProxyConnection"]

ProxyConnection.__module__ = __name__  # so that messages show the path from which users import it
