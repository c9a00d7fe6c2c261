"""The HTTP API: the clocks and the timeline of a ticket."""
