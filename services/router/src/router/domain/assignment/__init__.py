"""Decides which specialist has which ticket: in memory, one transaction at a time."""
