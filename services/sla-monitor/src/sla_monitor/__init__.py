"""Watches every promise and says before and when it is broken."""
