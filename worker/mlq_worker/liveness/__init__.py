"""Is that attempt dead? What NFS and the leases show, what follows, and who acts on it."""
