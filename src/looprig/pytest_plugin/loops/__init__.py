"""The loops of a run: the suite's declarations about them, and the loop plan."""
