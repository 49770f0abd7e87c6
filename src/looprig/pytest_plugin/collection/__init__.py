"""How services become fixtures: what is declared and asked for, seen while pytest collects."""
