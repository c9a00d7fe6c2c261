"""The benchmarks' support requests, accounts and specialists."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final
from uuid import NAMESPACE_OID, uuid5

from lab.own_stack import OWN_SOURCE
from shared.events import (
    INBOUND_TOPIC,
    AccountListed,
    Envelope,
    Event,
    Purchase,
    SpecialistListed,
    SupportRequest,
)
from shared.platform.publisher import Outgoing

__all__ = ["SOURCE", "SPECIALISTS", "accounts", "inbound", "requests", "roster"]

SOURCE: Final = f"{OWN_SOURCE}bench"
SPECIALISTS: Final = 20
_LANGUAGE: Final = "qaa"
"""A language code for local use (ISO 639-2), so that no real ticket or specialist has it."""
_ACCOUNTS: Final = 100
_ROOM: Final = 1_000_000
_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)
_BODY: Final = "Since 09:40 nobody in our company can log in, and the launch is at noon. " * 3


def requests(
    run: str, created: Iterable[datetime], language: str | None = _LANGUAGE
) -> list[SupportRequest]:
    """Make a request for each create date: by email, from a super admin, due an hour later."""
    return [
        SupportRequest(
            source=SOURCE,
            external_id=f"{run}-{number}",
            account_id=f"account-{number % _ACCOUNTS}",
            requester_id="ada",
            role="super_admin",
            channel="email",
            language=language,
            subject="Nobody can log in",
            body=_BODY,
            occurred_at=at,
        )
        for number, at in enumerate(created)
    ]


def accounts() -> list[AccountListed]:
    """Return the accounts of the requests, each with a purchase without an end."""
    return [
        AccountListed(
            account_id=f"account-{number}",
            purchases=(Purchase(since=_LONG_AGO),),
            super_admins=frozenset({"ada"}),
        )
        for number in range(_ACCOUNTS)
    ]


def inbound(request: SupportRequest) -> Outgoing:
    """Encode a request as upstream systems do."""
    value = request.model_dump_json().encode()
    headers: list[tuple[str, bytes | None]] = [("content-type", b"application/json")]
    return Outgoing(INBOUND_TOPIC, request.external_id.encode(), value, headers)


def roster(at: datetime) -> list[Envelope[Event]]:
    """Return specialists with more capacity than any run needs."""
    return [
        Envelope.caused_by(
            uuid5(NAMESPACE_OID, f"bench/{number}/{at.isoformat()}"),
            SpecialistListed(
                specialist_id=f"bench-{number}",
                name=f"Bench {number}",
                mail=f"bench-{number}@premium.example",
                languages=(_LANGUAGE,),
                capacity={"email": _ROOM},
            ),
            source="bench",
            time=at,
        )
        for number in range(SPECIALISTS)
    ]
