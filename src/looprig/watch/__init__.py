"""Watchers and watchdogs for problems besides a failing test: unhandled exceptions, forbidden calls. One file each.

A watchdog (`background`) is always on guard, and reports what it finds when it finds it. A watcher follows the events
of the tests that ask for it (`watcher`). Knows asyncio, not pytest: `looprig.pytest_plugin.watch` says when each is
active.
"""
