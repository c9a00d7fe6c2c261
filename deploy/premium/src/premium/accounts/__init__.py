"""Accounts: which have bought Premium Support, and who in them may ask for help."""
