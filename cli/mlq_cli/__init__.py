"""The `mlq` command: one file a command, rendering apart."""
