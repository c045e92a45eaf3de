"""`mlq init`: what it asks, looks at and writes.

Invariant: `mlq init` asks and checks everything before it writes; it then writes each file whole,
keeps what the config file already has, and never replaces a key.
"""
