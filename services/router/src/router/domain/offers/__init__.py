"""Offers that ring: what they are, and by which rules."""
