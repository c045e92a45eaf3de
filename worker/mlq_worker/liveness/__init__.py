"""Decides whether an attempt is dead or may run, from what NFS and the leases show."""
