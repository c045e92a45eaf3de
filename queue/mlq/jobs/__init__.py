"""What a job is: its life, its specification, what it asks for and where it fits."""
