"""Helpers for every package: errors, text checks, waiting, trace contexts, YAML positions."""
