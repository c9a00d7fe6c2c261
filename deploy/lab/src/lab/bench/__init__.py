"""Benchmarks of the running system, each with a baseline or peers in the same run."""
