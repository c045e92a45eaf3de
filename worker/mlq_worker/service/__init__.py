"""Starts, stops and finds the daemon, and brings it back after a reboot."""
