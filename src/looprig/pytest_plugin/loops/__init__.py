"""Which loops there will be: what a suite declares about them, and the plan."""
