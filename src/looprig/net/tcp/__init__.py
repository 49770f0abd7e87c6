"""The TCP proxy. It carries out what the toxics of `looprig.toxics` say.

Reading order: `line` (what is held), `chain` (the toxics of one direction), `pipe` (one direction of a connection),
`connection` (two pipes and their sockets), `listener` (the port), `dial` (the way to the service), `link` (all of it
together), `controls` (what users call), `proxy` (a proxy in front of an address). What it shares with UDP is in
`net.faults`.
"""

from looprig.net.tcp.controls import ProxyConnection as ProxyConnection

__all__ = ["ProxyConnection"]

ProxyConnection.__module__ = __name__  # messages show the path that users import it from
