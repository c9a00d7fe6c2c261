"""Assignment: which specialist has which ticket, decided in memory, one transaction at a time."""
