"""Loops, the tasks of fixtures and tests, their contexts and executors. Uses asyncio, but not pytest."""
