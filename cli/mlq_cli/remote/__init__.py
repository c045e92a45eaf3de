"""Runs one command on many machines at once by ssh, with the mlq that is on NFS.

The user installs nothing by hand on 35 machines: `mlq deploy` puts mlq into the results root, and
each command here runs that mlq. Invariants: a machine that fails, hangs or is off does not delay
the others, and no secret is ever part of a command line.
"""
