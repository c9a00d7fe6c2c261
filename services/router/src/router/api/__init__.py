"""The HTTP API of router."""
