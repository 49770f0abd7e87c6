"""looprig."""
