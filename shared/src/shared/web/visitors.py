"""The person who uses a page, and the exceptions for what they may not see."""

import hmac
from dataclasses import dataclass, field
from hashlib import sha256

__all__ = ["Denied", "Missing", "Person", "SignedOut", "Visitor", "csrf_token"]


@dataclass(frozen=True, slots=True)
class Person:
    """A person by their id on the roster (``name``); a lead may act on other people's tickets."""

    name: str
    lead: bool


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person with a session. Every POST needs ``csrf``, which pages of other sites lack."""

    person: Person
    csrf: str = field(repr=False)
    secret: str = field(repr=False)

    @property
    def name(self) -> str:
        """The person's id on the roster."""
        return self.person.name

    @property
    def lead(self) -> bool:
        """Whether they may see and act on other people's tickets."""
        return self.person.lead


class SignedOut(Exception):  # noqa: N818 - an answer to a person, not a fault
    """The request has no valid session."""


class Denied(Exception):  # noqa: N818 - as above
    """The person has no permission; the message says why and what to do."""


class Missing(Exception):  # noqa: N818 - as above
    """The requested object does not exist; the message names it."""


def csrf_token(secret: str) -> str:
    """Derive a session's CSRF token from the session's secret; the token is not stored."""
    return hmac.new(secret.encode(), b"csrf", sha256).hexdigest()
