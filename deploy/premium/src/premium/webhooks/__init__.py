"""Connections to systems that send webhooks: put in force from a file, listed, removed."""
