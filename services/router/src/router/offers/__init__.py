"""Offers and what people do at the desk: rules and acts, what is kept of them, and their door."""
