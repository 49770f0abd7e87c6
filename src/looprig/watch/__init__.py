"""Watchers for problems besides a failing test: unhandled exceptions, forbidden calls. asyncio, no pytest."""
