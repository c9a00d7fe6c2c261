"""Explains a ticket: its promises, history, due times and assignment decisions."""
