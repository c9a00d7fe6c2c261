"""Policies: check one, preview its due times, put it in force."""
