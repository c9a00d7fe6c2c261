"""Commands that prove or measure the system: demo, replay, benchmarks."""
