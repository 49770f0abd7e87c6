"""The UDP proxy (`proxy`)."""
