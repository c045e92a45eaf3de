"""One module for each kind of file that a job may leave metrics or progress in.

Each is a parser that is given bytes or lines and touches no file. No content makes one raise, and
the time of a call is bounded by the size of what it is given.
"""
