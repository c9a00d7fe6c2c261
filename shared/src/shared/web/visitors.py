"""Who looks at a page, and what may be said to those who may not."""

import hmac
from dataclasses import dataclass, field
from hashlib import sha256

__all__ = ["Denied", "Missing", "Person", "SignedOut", "Visitor", "csrf_token"]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody by their id on the roster; a lead may see and touch what is others'."""

    name: str
    lead: bool


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person in a session. ``csrf`` goes with each act: another site's page does not know it."""

    person: Person
    csrf: str = field(repr=False)
    secret: str = field(repr=False)

    @property
    def name(self) -> str:
        """Whose session it is."""
        return self.person.name

    @property
    def lead(self) -> bool:
        """Whether they may see and touch what is others'."""
        return self.person.lead


class SignedOut(Exception):  # noqa: N818 - an answer to a person, not a fault
    """Nobody is signed in (any more)."""


class Denied(Exception):  # noqa: N818 - as above
    """They may not; the text says why and whom to ask."""


class Missing(Exception):  # noqa: N818 - as above
    """There is no such thing; the text says what there is not."""


def csrf_token(secret: str) -> str:
    """Derive a session's token, so that it need not be kept."""
    return hmac.new(secret.encode(), b"csrf", sha256).hexdigest()
