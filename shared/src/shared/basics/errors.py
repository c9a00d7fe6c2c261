"""The two kinds of expected failure. Every other exception is a bug and handled as one."""

__all__ = ["Poison", "Transient"]


class Poison(Exception):  # noqa: N818 - the name that all docs use
    """A record that can never be handled: it becomes a dead letter, later records are handled.

    ``reason`` is a short code (``bad_json``, ``unknown_version``…); ``detail`` names the field,
    the fault and the remedy for the operator who reads the dead letter.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Transient(Exception):  # noqa: N818 - see Poison
    """One of our servers (database, broker) is unavailable: wait and retry; no dead letters."""
