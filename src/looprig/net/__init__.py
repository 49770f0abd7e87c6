"""Sockets and ports for tests: what is told a port keeps it."""
