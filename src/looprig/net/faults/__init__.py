"""What the TCP proxy (`net.tcp`) and the UDP proxy (`net.udp`) share: toxics come and go, and what happens is recorded.

Carries nothing itself. Reading order: `seeds` (random numbers), `application` (toxics applied together), `events` and
`log` (what happened and what went wrong), `waiters` (waiting for a state), `link` (a proxy that runs), `block` (a fault
for the length of a `with`), `watch` (who observes proxies), `controls` (what users call), `standalone` (a proxy of no
service).
"""
