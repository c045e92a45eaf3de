"""What mlq costs, and how it compares: `make bench`."""
