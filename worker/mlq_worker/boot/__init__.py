"""How the worker comes back after a reboot: the user's systemd, else the user's crontab."""
