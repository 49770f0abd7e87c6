"""What works on this repository. Not part of looprig."""
