"""The TCP proxy that injects faults. It carries out what toxics say (`looprig.net.toxics`), which are pure.

Reading order: `line` (what is held), `pipe` (one direction of a connection), `connection` (two pipes and their
sockets), `application` (which connection has which toxic), `listener` (the port), `link` (all of it together),
`tcp` (what users hold in their hands). `events` is what is told of it.
"""
