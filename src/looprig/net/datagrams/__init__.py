"""Toxics of datagrams: what goes wrong on one direction of a UDP exchange, one file each.

Pure: a datagram and a seeded generator of numbers go in, effects come out. Reading order: `toxic` (the base), `tally`
(what is told of them), then the toxics. `proxy` carries out what they say.
"""
