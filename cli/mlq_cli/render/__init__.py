"""How things look on a terminal: pure functions of values, a width and a `Style`."""
