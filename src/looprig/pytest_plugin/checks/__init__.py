"""What is wrong with what was collected: each error with the tests that it concerns."""
