"""Sends notifications by mail: assignments, callbacks, warnings, breaches, misses, retractions."""
