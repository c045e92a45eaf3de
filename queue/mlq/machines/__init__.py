"""What a machine says of itself, and what the reaper says of it when it is silent."""
