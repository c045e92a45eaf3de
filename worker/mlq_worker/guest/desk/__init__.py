"""Whether somebody else is at the machine, and what that means for the jobs."""
