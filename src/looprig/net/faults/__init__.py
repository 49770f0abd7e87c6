"""The parts that the TCP proxy (`net.tcp`) and the UDP proxy (`net.udp`) share: applying toxics, and recording events.

Carries no data itself. Reading order: `seeds` (random numbers), `application` (toxics applied together), `events` and
`log` (events and errors), `waiters` (waiting for a state), `link` (a running proxy), `block` (a fault during a `with`
block), `watch` (the observer of proxies), `controls` (what users call), `standalone` (a proxy without a service).
"""
