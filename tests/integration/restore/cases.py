"""The four services with all their parts, and what each reads before and after a restore."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

from tests.chaos.invariants import VIOLATIONS

import intake.app
import intake.handlers
import notifier.app
import notifier.handlers
import router.app
import router.handlers
import sla_monitor.app
import sla_monitor.handlers
from intake.settings import Settings as IntakeSettings
from notifier.settings import Settings as NotifierSettings
from router.settings import Settings as RouterSettings
from shared.events import (
    NAMESPACE,
    AssignmentFact,
    AssignmentReleased,
    AssignmentResponded,
    CallbackJoined,
    ClockWarned,
    CustomerReplied,
    Envelope,
    Event,
    PolicyPublished,
    TicketAssigned,
    TicketDeclined,
    TicketFact,
    TicketReopened,
    TicketResolved,
    TicketResponded,
    ticket_id_of,
)
from shared.events.codec import headers_of, value_of
from shared.platform.lifecycle import Part
from shared.platform.postgres import Database
from shared.platform.publisher import Outgoing
from shared.sla.policies import Policy, default_policy
from shared.testing.builders import (
    NOON,
    a_fact,
    a_specialist,
    a_ticket,
    an_account,
    minutes,
    reclassified,
    removed,
)
from sla_monitor.settings import Settings as SlaMonitorSettings

__all__ = ["CASES", "Case"]

STORM: Final = (NOON - minutes(30), NOON + minutes(30))


@dataclass(frozen=True)
class Case:
    """A service: its parts, its topics, the records it reads, and the tables to compare."""

    package: str
    assemble: Callable[[Any, Database], Sequence[Part]]
    settings: Callable[..., Any]
    reads: Sequence[str]
    writes: Sequence[str]
    before: Sequence[Outgoing]
    after: Sequence[Outgoing]
    tables: Sequence[str]
    left: str = "SELECT 0"
    """Counts what time has still to bring about."""
    decided: Sequence[str] = ()
    """The tables of what the service decides by the order in which facts come to it."""
    wrong: Sequence[str] = ()
    """Queries that find what must never be."""
    publishes_by_order: bool = False
    """What it publishes depends on the order in which its topics come; its rows do not."""

    @property
    def derived_tables(self) -> Sequence[str]:
        """Return the tables that depend on the facts only, not on the order of topics."""
        return [query for query in self.tables if query not in self.decided]


def written(*envelopes: Envelope[Event]) -> list[Outgoing]:
    """Make records of events, as their services publish them."""
    return [
        Outgoing(e.event.topic, e.event.subject.encode(), value_of(e.event), headers_of(e))
        for e in envelopes
    ]


def happened(event: Event, after_min: float) -> Envelope[Event]:
    """Make an event, so many minutes after noon."""
    return Envelope(
        uuid5(NAMESPACE, f"{event!r}{after_min}"), "test", NOON + minutes(after_min), event
    )


def requested(name: str, **more: object) -> Outgoing:
    """Make a request, as upstream sends it."""
    request = {
        "source": "test",
        "external_id": name,
        "account_id": "northwind",
        "requester_id": "ada",
        "channel": "email",
        "language": "en",
        "subject": "Login",
        "occurred_at": NOON.isoformat(),
    }
    return Outgoing("inbound.v1", b"test", json.dumps({**request, **more}).encode(), [])


def accounts(count: int, after_min: float) -> Iterator[Outgoing]:
    """List northwind with this many seats."""
    seats = [f"bob-{number}" for number in range(count)]
    yield from written(happened(an_account(seats=seats), after_min))


def policy(*windows: tuple[datetime, datetime], after_min: float) -> Envelope[Event]:
    """Publish the built-in policy with exceptions in these times."""
    exceptions = [
        {"name": f"storm {n}", "reason": "A storm.", "starts_at": since, "ends_at": until}
        for n, (since, until) in enumerate(windows)
    ]
    made = Policy.model_validate({**default_policy().document, "exceptions": exceptions})
    return happened(
        PolicyPublished(policy_id=made.policy_id, version=made.version, document=made), after_min
    )


def of(fact: type[TicketFact | AssignmentFact], name: str, **more: object) -> Event:
    """Make a fact of a ticket."""
    return fact.model_validate({"ticket_id": ticket_id_of("test", name), **more})


def assigned(name: str, who: str) -> Event:
    """Assign a ticket to a specialist."""
    return TicketAssigned(
        ticket_id=ticket_id_of("test", name),
        specialist_id=who,
        account_id="northwind",
        channel="email",
        severity="standard",
        language="en",
        english_instead=False,
        due_at=NOON + minutes(60),
        waited_ms=0,
    )


def warned(name: str, percent: int = 50) -> Event:
    """Make a warning of a ticket's promise."""
    return ClockWarned(
        ticket_id=ticket_id_of("test", name),
        account_id="northwind",
        channel="email",
        severity="standard",
        kind="first_response",
        promise_class="guarantee",
        percent=percent,
        due_at=NOON + minutes(60),
    )


def ticket(name: str) -> UUID:
    """Return a ticket's id."""
    return ticket_id_of("test", name)


INTAKE: Final = Case(
    "intake",
    intake.app.assemble,
    lambda **given: IntakeSettings(number_secret="a secret of the tests, long enough", **given),
    intake.handlers.CONSUMES,
    intake.handlers.EMITS,
    [*accounts(1, 0), *written(policy(after_min=0)), requested("one"), requested("two")],
    [
        *accounts(3, 1),
        *written(policy(STORM, after_min=1)),
        requested("three", requester_id="bob-2"),
        requested("four"),
        requested("one"),
        requested("two", subject="Another"),
    ],
    (
        "SELECT ticket_id, account_id, role, severity, policy, promises, create_date FROM ticket",
        "SELECT version, published_at FROM policy",
        "SELECT account_id, since FROM account_version",
        "SELECT ticket_id, outcome, digest FROM request",
    ),
)
ROUTER_DECIDED: Final = (
    "SELECT ticket_id, specialist_id, waiting, assigned_count FROM ticket",
    "SELECT * FROM capacity",
    "SELECT ticket_id, at, type, specialist_id, fact FROM ticket_history",
    "SELECT ticket_id, decision_id FROM decision",
)
ROUTER: Final = Case(
    "router",
    router.app.assemble,
    RouterSettings,
    router.handlers.CONSUMES,
    router.handlers.EMITS,
    [
        *written(*(a_specialist(who, capacity={"email": 2}) for who in ("ann", "ben", "cy"))),
        *written(*(a_ticket(f"T{n}", after_min=n) for n in range(5))),
        *written(a_fact(TicketResponded, "T0", after_min=6)),
    ],
    [
        *written(*(a_ticket(f"T{n}", after_min=n) for n in range(5, 9))),
        *written(a_fact(TicketResponded, "T1", after_min=10), removed("cy", after_min=11)),
        *written(a_fact(TicketReopened, "T0", after_min=12)),
        *written(reclassified("T2", "business_critical", after_min=13)),
        *written(a_specialist("dee", capacity={"email": 1}, after_min=14)),
        *written(a_fact(TicketResolved, "T3", after_min=15)),
    ],
    (
        *ROUTER_DECIDED,
        "SELECT ticket_id, state, reclassified_to FROM ticket",
        "SELECT specialist_id, presence, removed, listed_at FROM specialist",
        "SELECT * FROM callback_request",
        "SELECT * FROM callback_fact",
    ),
    decided=ROUTER_DECIDED,
    wrong=(VIOLATIONS["is neither waiting nor assigned"],),
    publishes_by_order=True,
)
SLA_MONITOR: Final = Case(
    "sla_monitor",
    sla_monitor.app.assemble,
    SlaMonitorSettings,
    sla_monitor.handlers.CONSUMES,
    sla_monitor.handlers.EMITS,
    [
        *written(policy(STORM, after_min=0)),
        *written(*(a_ticket(f"T{n}", after_min=n) for n in range(5))),
        *written(happened(of(TicketResponded, "T0"), 6), happened(assigned("T1", "ann"), 6)),
    ],
    [
        *written(policy(after_min=7)),
        *written(*(a_ticket(f"T{n}", after_min=n) for n in range(5, 9))),
        *written(happened(of(TicketResponded, "T2"), 8), happened(of(CustomerReplied, "T2"), 9)),
        *written(happened(of(AssignmentResponded, "T3", specialist_id="ann"), 9)),
        *written(happened(of(TicketResolved, "T4"), 10), happened(of(TicketReopened, "T4"), 11)),
    ],
    (
        "SELECT ticket_id, fact_id, occurred_at, type FROM fact",
        "SELECT * FROM clock",
        "SELECT * FROM open_clocks",
        "SELECT * FROM exception_window",
    ),
    """
    SELECT (SELECT count(*) FROM clock WHERE next_at <= premium_now())
         + (SELECT count(*) FROM reevaluation WHERE finished_at IS NULL)
    """,
)
NOTIFIER: Final = Case(
    "notifier",
    notifier.app.assemble,
    lambda **given: NotifierSettings(
        smtp_host="127.0.0.1",
        smtp_port=9,
        smtp_security="none",
        mail_from="support@example.com",
        team_mail="team@example.com",
        ticket_url="https://example.com/{ticket_id}",
        **given,
    ),
    notifier.handlers.CONSUMES,
    notifier.handlers.EMITS,
    [
        *written(a_specialist("ann"), a_specialist("ben")),
        *written(happened(assigned("T0", "ann"), 1), happened(warned("T0"), 2)),
    ],
    [
        *written(happened(assigned("T1", "ben"), 3), removed("ann", after_min=3)),
        *written(happened(of(TicketDeclined, "T1", specialist_id="ben", reason="busy"), 4)),
        *written(happened(assigned("T1", "ann"), 5), happened(warned("T1"), 6)),
        *written(happened(warned("T0", 75), 7)),
        *written(happened(CallbackJoined(ticket_id=ticket("T2"), joined=ticket("T1")), 8)),
        *written(
            happened(
                AssignmentReleased(ticket_id=ticket("T0"), specialist_id="ann", cause="responded"),
                9,
            )
        ),
        *written(a_specialist("ann", after_min=10)),
    ],
    (
        "SELECT delivery_id, ticket_id, alert, specialist_id, fact_type FROM delivery",
        "SELECT * FROM assignment",
        "SELECT * FROM specialist",
        "SELECT * FROM ride",
    ),
)
CASES: Final = (INTAKE, ROUTER, SLA_MONITOR, NOTIFIER)
