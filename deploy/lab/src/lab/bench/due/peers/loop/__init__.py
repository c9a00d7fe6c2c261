"""A bare SQL loop: the minimal hand-written implementation."""
