"""The TCP proxy. It carries out the effects of the toxics in `looprig.toxics`.

Reading order: `line` (held data), `chain` (the toxics of one direction), `pipe` (one direction of a connection),
`connection` (two pipes and their sockets), `listener` (the port), `dial` (connecting to the service), `link` (all of it
together), `controls` (what users call), `proxy` (a proxy in front of an address). The parts shared with UDP are in
`net.faults`.
"""

from looprig.net.tcp.controls import ProxyConnection as ProxyConnection

__all__ = ["ProxyConnection"]

ProxyConnection.__module__ = __name__  # so that messages show the path from which users import it
