"""Rules of nftables that swallow packets, as a broken firewall or a dead switch does.

Neither end is told: no FIN, no RST, no ICMP. Connections stay open until somebody gives them up.
"""

from __future__ import annotations

PASS_ALL = "delete table inet lab"


def drop_port(port: int) -> str:
    """Return the rules that swallow all packets from and to a TCP port."""
    rules = ["add table inet lab"]
    for hook in ("input", "output"):
        rules.append(f"add chain inet lab {hook} {{ type filter hook {hook} priority 0; }}")
        rules += [f"add rule inet lab {hook} tcp {end} {port} drop" for end in ("sport", "dport")]
    return "; ".join(rules)
