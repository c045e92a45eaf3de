"""The queue as Python code and the commands use it."""
