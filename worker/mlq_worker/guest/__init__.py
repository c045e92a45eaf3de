"""How mlq behaves as a guest on a machine that belongs to others; asked by the supervisor."""
