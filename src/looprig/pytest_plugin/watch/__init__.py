"""What watches the run and reports."""
