"""Gives each ticket to a specialist who serves its channel and language, within capacity."""
