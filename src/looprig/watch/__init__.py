"""Watchers and watchdogs, one file each: they find errors that a test doesn't raise itself, and forbidden calls.

A watchdog (`background`) is always active, and notes each failure as soon as it happens. A watcher (`watcher`) follows
the events of the tests that ask for it. This package uses asyncio but not pytest: `looprig.pytest_plugin.watch` decides
when each of them is active.
"""
