"""The loops of a run: a suite's declarations about them, and the plan."""
