"""submitit on mlq: `submitit.AutoExecutor(folder, cluster="mlq")`.

submitit finds the two classes here by entry points. They call the command `mlq` and import nothing
of mlq, so the Python of an experiment need not have it.
"""
