"""Measures the running system beside a hand-written floor, in one run, on one machine."""
