"""The manager of pilots: it looks, lets `mlq.pilots.decide` decide, and acts."""
