"""Runs that prove or measure the system, each on a stack of its own: demo, replay, benchmarks."""
