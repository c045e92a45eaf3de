#!/bin/sh
# Slurm's own commands, answered by mlq: two ranks, then a job that comes after them.
set -e
PATH="$(mlq shims slurm):$PATH"
ranks=$(sbatch --parsable -n 2 --mem=200M -o ranks.txt --comment=example \
    --wrap 'srun sh -c "echo rank \$SLURM_PROCID of \$SLURM_NTASKS"')
sbatch --wait -d "afterok:$ranks" --mem=200M -o sorted.txt --wrap 'sort ranks.txt'
sacct -X -n -P -o JobID,State,Comment -j "$ranks"
cat sorted.txt
