"""Measures intake's doors beside a bare transaction: how many get in, and how soon each is told."""
