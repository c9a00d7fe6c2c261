"""Over HTTP: what systems and tools ask of router."""
