"""Times every promise; publishes warnings before it is due, and breaches when it is broken."""
