"""Pilots: workers that mlq submits to a batch system as jobs, while jobs of its own wait."""
