"""The run: loops, fixtures and tests."""
