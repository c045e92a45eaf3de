"""`mlq doctor`: every precondition, looked at and judged.

Looking is thin and may take its time or fail; judging is pure and holds every threshold and every
remedy. Invariant: whatever hangs costs its own check and no other, so the doctor always answers.
"""
