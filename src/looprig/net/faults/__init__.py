"""The parts that the TCP proxy (`net.tcp`) and the UDP proxy (`net.udp`) share: applying toxics, and recording events.

Carries no data itself. Reading order: `seeds` (random numbers), `application` (toxics applied together), `events` and
`log` (what happened and what went wrong), `waiters` (waiting for a state), `link` (a proxy that runs), `block` (a fault
for the length of a `with`), `watch` (who observes proxies), `controls` (what users call), `standalone` (a proxy of no
service).
"""
