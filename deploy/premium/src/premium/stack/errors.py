"""What can go wrong with the stack, for people."""

__all__ = ["StackError"]


class StackError(Exception):
    """One line: what is wrong, and what to do next."""
