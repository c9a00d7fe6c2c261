"""Measures how late due clocks are published: ours and peers, and ours under load and kills."""
