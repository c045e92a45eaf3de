"""Job files of other batch systems (Slurm, PBS, HTCondor), read into what mlq can queue; pure."""
