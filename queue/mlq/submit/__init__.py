"""From what a user typed to a numbered, signed job."""
