"""The copy of all jobs that have not ended, on the results root: made, written, read."""
