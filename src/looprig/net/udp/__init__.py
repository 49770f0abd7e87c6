"""The UDP proxy. It carries out what the toxics of `looprig.toxics.udp` say.

Reading order: `rng` (random numbers), `chain` (a datagram's way through the toxics), `schedule` (what is held back),
`endpoint` (a socket), `connection` (one client and the service), `sender` (what is sent when), `link` (all of it
together), `controls` (what users call), `proxy` (a proxy in front of an address). What it shares with TCP is in
`net.faults`.
"""

from looprig.net.udp.controls import ProxyConnection as ProxyConnection

__all__ = ["ProxyConnection"]

ProxyConnection.__module__ = __name__  # messages show the path that users import it from
