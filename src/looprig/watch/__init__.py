"""Watches what happens besides the test: exceptions nobody awaits, calls that are forbidden. asyncio, no pytest."""
