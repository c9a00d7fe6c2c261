"""Measures how fast router matches tickets, with a large roster and a long queue."""
