"""The examples in the OpenAPI document are real responses."""

from datetime import UTC, datetime, timedelta
from typing import Final

from shared.events import Envelope, Event, SupportRequest, TicketAccepted, TicketResponded
from shared.sla.policies import default_policy
from shared.testing.builders import promised
from sla_monitor.api.examples import CLOCKS, TIMELINE
from sla_monitor.api.schemas import clocks_answer, timeline_answer
from sla_monitor.domain import derive
from sla_monitor.domain.replay import Learned

REQUEST: Final = SupportRequest.model_validate(SupportRequest.model_json_schema()["examples"][0])
ASKED: Final = REQUEST.occurred_at
ANSWERED: Final = datetime(2026, 3, 2, 9, 2, tzinfo=UTC)
SOON: Final = timedelta(milliseconds=20)
"""So long it takes until a fact is known."""


def learned(event: Event, at: datetime) -> Learned:
    """Make a fact, as intake publishes it."""
    fact = Envelope.caused_by(REQUEST.document_id, event, source="intake", time=at)
    return Learned(fact, at + SOON)


ACCEPTED: Final = learned(
    TicketAccepted.model_validate(
        {
            **REQUEST.model_dump(),
            "ticket_id": REQUEST.ticket_id,
            "requester_id": "",
            "accepted_at": ASKED + SOON,
            "claimed_severity": REQUEST.severity,
            "policy": default_policy().version,
            "promises": promised(ASKED, severity=REQUEST.severity, time_zone=REQUEST.time_zone),
        }
    ),
    ASKED,
)
RESPONDED: Final = learned(TicketResponded(ticket_id=REQUEST.ticket_id), ANSWERED)


def test_the_clocks_shown_are_those_of_the_request_shown() -> None:
    """Ten minutes after the example request."""
    clocks = {clock.key: clock for clock in derive([ACCEPTED.fact])}
    answer = clocks_answer(REQUEST.ticket_id, [ACCEPTED], clocks, now=ASKED + timedelta(minutes=10))
    assert answer.model_dump(mode="json") == CLOCKS


def test_the_timeline_shown_is_that_of_the_request_shown() -> None:
    """Up to the response."""
    answer = timeline_answer(
        REQUEST.ticket_id, [ACCEPTED, RESPONDED], now=ANSWERED + timedelta(minutes=1)
    )
    assert answer.model_dump(mode="json") == TIMELINE
