"""Other machines, by ssh: one command on many of them at once, with mlq found on NFS.

Nothing is installed by hand on 35 machines: `mlq deploy` puts mlq into the results root, and each
command here runs that one. Invariant: a machine that fails, hangs or is off costs the others
nothing, and nothing secret is ever part of a command line.
"""
