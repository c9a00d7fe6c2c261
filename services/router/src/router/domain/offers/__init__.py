"""Offers that ring, and the rules for them."""
