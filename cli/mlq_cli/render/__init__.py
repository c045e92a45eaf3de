"""Renders values for a terminal: pure functions of values, a width and a `Style`."""
