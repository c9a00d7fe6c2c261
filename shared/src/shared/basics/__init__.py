"""What every other package may use: errors, text, time, traces, places in files."""
