"""Code as it was when a job was enqueued: what is taken, and the pack that holds it."""
