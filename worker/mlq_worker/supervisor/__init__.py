"""The small process that holds a machine's jobs, even if the worker crashes.

A worker may crash or be upgraded at any time; running jobs must be unaffected. So the jobs
belong to two tiny processes that need nothing but the standard library: the supervisor, which
decides and holds the dead-man's clock, and its launcher, which starts and reaps. Invariant: a job
never outlives the supervisor, and never runs once another machine may have been given it.
"""
