"""The watchers and watchdogs of a run.

`table` says when each watcher is active, and `hooks` calls the watchers' events. `watchdogs` collects the findings of
the watchdogs, and `policies` decides whether a test fails for them.
"""
