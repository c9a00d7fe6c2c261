"""Webhook connections: applied from a file, listed, removed."""
