"""Over HTTP: how clocks stand, and the timeline of a ticket."""
