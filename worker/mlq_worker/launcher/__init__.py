"""The parent of all jobs. It touches NFS only in threads."""
