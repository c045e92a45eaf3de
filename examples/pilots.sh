#!/bin/sh
# A cluster's machines for jobs that wait: sh pilots.sh -c 2 --mem=4G
# Run it where sbatch is Slurm's; what follows the file's name is for sbatch.
set -e
job=$(mlq enqueue --mem 100M -n on-a-pilot -- hostname)
mlq pilot slurm --time 10m --after 1s --idle 5s -- "$@" & # submits pilots until it is stopped
mlq wait "$job"
mlq ls "$job" # on the machine slurm-NUMBER
mlq pilot stop --all # the manager ends now, the pilot once it is idle
wait
