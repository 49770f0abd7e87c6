"""How services become fixtures, and what was collected."""
