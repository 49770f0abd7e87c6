"""The watchers of a run: `table` says which there are and when each is active, and `hooks` has their events."""
