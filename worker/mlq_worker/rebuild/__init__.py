"""Rebuilds a lost queue from the results root: survey the root, plan the queue, carry it out."""
