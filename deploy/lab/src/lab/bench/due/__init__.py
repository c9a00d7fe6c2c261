"""Measures how late due clocks are announced: ours beside peers, and ours under load and kills."""
