"""What jobs measure of themselves: their metrics, step by step, and what is left of each."""
