"""The daemon on a lab machine: it looks at the machine, claims what fits and supervises it."""
