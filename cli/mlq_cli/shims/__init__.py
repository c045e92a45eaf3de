"""Slurm's commands: `python -m mlq_cli.shims NAME`, one module a command with `main(words)`."""
