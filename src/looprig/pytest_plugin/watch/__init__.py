"""The watchers of a run: `table` lists them and when each is active, and `hooks` calls their events."""
