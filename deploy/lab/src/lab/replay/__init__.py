"""`premium replay`: sends any event log through the running stack and proves what became of it."""
