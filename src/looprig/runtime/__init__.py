"""Loops, the tasks of fixtures and tests, their contexts and executors. asyncio, no pytest."""
