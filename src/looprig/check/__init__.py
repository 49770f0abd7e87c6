"""Fixture types: what fixtures provide against what their users declare, judged by the suite's own type checker."""
