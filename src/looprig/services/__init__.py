"""Runs services: their lifecycles, and the kinds that looprig brings. asyncio, no pytest."""
