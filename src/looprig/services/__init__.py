"""Running services: their lifecycles, and the base classes that looprig provides. asyncio, no pytest."""
