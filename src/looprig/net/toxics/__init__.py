"""Toxics: what goes wrong on one direction of a TCP connection, one file each.

Pure: a chunk and a seeded generator of numbers go in, effects come out. Reading order: `rule` (which connections a
toxic is for), `effects` (what it can say), `flow` (what it is told), `toxic` (the base), then the toxics.
"""
