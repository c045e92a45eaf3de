"""Files, folders and locks: where each lies, and how it is read, written and held."""
