"""Collection: service classes become fixtures, and the result is summed up for the checks and the loop plan."""
