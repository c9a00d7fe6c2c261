"""Assigns each ticket to a specialist who serves its channel and language and has room."""
