"""`looprig migrate`: suites of other async plugins, rewritten to looprig's idiom.

Needs libcst (`looprig[migrate]`). Nothing here imports pytest, or runs the code that it rewrites.

`command` is what users call, `whole` rewrites a suite in memory, and each rewriting is a file of its own: a function
from a module to a new module and what is left to do by hand.
"""

__all__: list[str] = []
