"""Declarations that users write, turned into frozen specs. Pure: no pytest, no asyncio, no I/O."""
