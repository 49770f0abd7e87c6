"""`looprig migrate`: rewriting suites of other async plugins to looprig's idiom.

Needs libcst (`looprig[migrate]`). Nothing here imports pytest, or runs the code that it rewrites.

`command` implements the command, and `whole` rewrites a suite in memory. Each rewriting has its own file: a function
from a module to a new module and a list of what is left to do by hand.
"""

__all__: list[str] = []
