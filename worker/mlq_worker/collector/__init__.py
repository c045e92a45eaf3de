"""The process that alone reads what jobs write of themselves: their progress and their metrics."""
