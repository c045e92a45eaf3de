"""Fetches what jobs made into a folder: what goes where is decided apart from how it is moved.

Pure: `folders` (which job has which folder), `patterns`, `planning` (what is fetched, kept or left
out) and `record` (what an earlier pull put there). Edges: `source` (lists and reads, here or on the
queue's host), `placing` (the only module that writes into the folder) and `fetching` between them.
"""
