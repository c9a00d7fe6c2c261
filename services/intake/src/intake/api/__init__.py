"""Over HTTP: what systems send and ask."""
