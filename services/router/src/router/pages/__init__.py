"""The inbox: the pages at which specialists and their lead work."""
