"""Watchers for problems besides a failing test: unhandled exceptions, forbidden calls. One file each.

Knows asyncio, not pytest. `watcher` has the events. `looprig.pytest_plugin.watch.table` says when each is active.
"""
