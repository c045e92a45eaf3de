"""Files, folders and locks: where each is, and how it is read, written and held."""
