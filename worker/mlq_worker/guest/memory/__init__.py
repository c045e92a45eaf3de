"""Whether a job keeps to the memory that it asked for: by cgroups, or by looks."""
