"""The TCP proxy that injects faults. It carries out what toxics say (`looprig.net.toxics`), which are pure.

Reading order: `line` (what is held), `course` (the way through the toxics), `pipe` (one direction of a connection),
`connection` (two pipes and their sockets), `application` (which connection has which toxic), `listener` (the port),
`dialling` (the way to the service), `link` (all of it together), `fault_controls` and `controls` (what users do), `tcp`
(a proxy by hand). `events` is what is told of it, `watch` who is told.
"""
