"""`premium replay`: sends an event log through a stack and verifies the result."""
