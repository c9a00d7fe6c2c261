"""API keys of the services: made, replaced, revoked, listed."""
