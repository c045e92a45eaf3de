"""The parent of one job, which no process of the job can leave."""
