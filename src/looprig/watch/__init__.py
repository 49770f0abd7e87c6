"""Watchers and watchdogs, one file each: they find errors that a test doesn't raise itself, and forbidden calls.

A watchdog (`background`, `leaks`) is always active, and notes what it finds for the end of the test. A watcher
(`watcher`) follows the events of the tests that ask for it. This package uses asyncio but not pytest:
`looprig.pytest_plugin.watch` decides when each of them is active.
"""
