"""The error that a command reports to its user."""

__all__ = ["CommandError"]


class CommandError(Exception):
    """One line: what is wrong, and what to do next."""
