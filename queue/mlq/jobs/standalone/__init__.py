"""What jobs import as `mlq` where mlq is not installed; its folder holds nothing else."""
