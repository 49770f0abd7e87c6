"""Fixture types: the suite's own type checker compares the types of fixtures with those that their users declare."""
