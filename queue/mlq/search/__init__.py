"""Search: which parameters the next member of a sweep gets, from what the earlier ones measured."""
