"""Runs jug programs: whose each lock is, and what a worker of a run does next.

`locks` and `decide` are pure. `lock_files` touches the jugdir, and `in_its_python` is a script that
the program's own Python runs: only that one knows jug's modules.
"""
