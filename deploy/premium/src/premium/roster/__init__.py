"""The roster: which specialists there are, and their languages, shifts and capacity."""
