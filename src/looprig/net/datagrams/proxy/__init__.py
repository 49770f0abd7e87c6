"""The UDP proxy that injects faults. It carries out what toxics of datagrams say (`looprig.net.datagrams`).

Reading order: `rolls` (random numbers), `course` (a datagram's way through the toxics), `held` (what is held back),
`endpoint` (a socket), `exchange` (one client and the service), `departures` (what is sent when), `log` (what is told
of it), `link` (all of it together), `controls` (what users do with it), `by_hand` (a proxy in front of an address).
The log of events and the choice of connections are those of the TCP proxy: `looprig.net.proxy`.
"""
