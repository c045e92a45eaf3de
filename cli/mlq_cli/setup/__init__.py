"""`mlq init`: what it asks, looks at and writes.

Invariant: nothing is written before everything was asked and checked, and then each file appears
whole; what is in the config file already stays, and no key is ever replaced.
"""
