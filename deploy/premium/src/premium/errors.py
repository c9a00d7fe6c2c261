"""What can go wrong with a command, for people."""

__all__ = ["CommandError"]


class CommandError(Exception):
    """One line: what is wrong, and what to do next."""
