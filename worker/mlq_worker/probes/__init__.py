"""Thin edges that read the machine: cores, memory and GPUs as they are free right now."""
