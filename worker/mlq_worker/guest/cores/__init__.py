"""Which cores each job runs on, and how it is kept to them."""
