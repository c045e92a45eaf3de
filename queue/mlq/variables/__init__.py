"""What a job is given of the process that enqueues it: variables, and secrets by files."""
