"""APScheduler 3, tuned."""
