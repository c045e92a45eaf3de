"""Workers inside an allocation of Slurm, PBS or HTCondor: what was granted, and until when."""
