"""The inbox: the pages at which specialists and leads work."""
