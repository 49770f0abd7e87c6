"""Owns loops, the tasks that fixtures and tests live in, their contexts and executors. asyncio, no pytest."""
