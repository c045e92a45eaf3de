"""`mlq doctor`: looks at every precondition and judges it.

The probes (`look`) only gather facts, and may be slow or fail. The judgements (`judge`) are pure
and hold all thresholds and remedies. Invariant: a probe that hangs costs only its own check, so the
doctor always answers.
"""
