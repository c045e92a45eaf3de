"""What a machine said of itself, and what is said of it when it is silent."""
