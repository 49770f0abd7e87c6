"""Options that inspect fixtures instead of running tests; loaded when asked for."""
