"""A topic followed live, and whether its silence can be trusted."""
