"""Whether what a fixture gives is what its users say they take, asked of the suite's own type checker."""
