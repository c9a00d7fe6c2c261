"""Accounts from a file: who has bought Premium Support, and who of them may ask."""
