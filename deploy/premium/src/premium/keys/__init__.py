"""API keys of the services: made, replaced, ended, listed."""
