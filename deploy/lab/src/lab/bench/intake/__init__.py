"""Measures how many requests intake accepts, and how fast, compared with a bare transaction."""
