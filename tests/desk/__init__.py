"""A virtual machine with a desk: a kernel, a keyboard, a mouse and a screen of its own.

What mlq reads to know that somebody is at the desk (counters of the USB and i8042 drivers, logind's
sessions, times of terminals) comes here from a real kernel and a real systemd, and so do cgroups
and a kernel that kills for want of memory. It needs root, QEMU and mmdebstrap: `make desk`.
"""
