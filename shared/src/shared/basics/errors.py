"""The two families of failure. Anything else that is raised is a bug and is treated as one."""

__all__ = ["Poison", "Transient"]


class Poison(Exception):  # noqa: N818 - the domain's word; every raise reads as a sentence
    """A record that can never be handled: parked with this reason, its neighbours go on.

    ``reason`` is a short machine word (``bad_json``, ``unknown_version``…); ``detail`` names the
    field, the fault and the remedy for the person who reads the dead letter.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Transient(Exception):  # noqa: N818 - see Poison
    """Something of ours is away (database, broker): wait and try again, park nothing."""
