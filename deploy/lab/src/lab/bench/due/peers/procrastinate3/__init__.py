"""procrastinate 3, tuned."""
