"""The queue in Redis: its keys, the Lua operations on them, and the connections they travel by."""
