"""Accepts support requests and later facts from upstream systems, and publishes them as events."""
