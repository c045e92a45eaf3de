"""The queue's own Redis server, which needs no root: its files, its configuration, its life."""
