"""Figures: what is to be drawn, and how matplotlib and a terminal draw it."""
