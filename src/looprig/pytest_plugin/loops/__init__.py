"""Which loop each test and fixture is on: what the planner is told, and its answer."""
