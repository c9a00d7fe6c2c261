"""Live view of breaches, and whether their absence can be trusted."""
