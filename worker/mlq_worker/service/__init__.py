"""The daemon's own life: started, stopped, found, brought back after a reboot."""
