"""`premium explain` shows who has a ticket and why, from the decision records."""

from io import StringIO
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from premium.explain.decisions import decided
from premium.timestamps import Local
from router.domain.assignment.session import AssignmentSession
from router.domain.command_handlers import execute
from router.domain.commands import Decline
from router.domain.offers.rules import OfferRules
from router.domain.roster import Roster
from shared.events import Envelope, Event, ticket_id_of
from shared.testing.builders import NOON, a_specialist, a_ticket

DOCUMENT: Final = Path(__file__).parents[3] / "docs" / "explain.md"
TEAM: Final = (
    a_specialist("mara", languages=("de", "en"), capacity={"email": 3}),
    a_specialist("jonas", languages=("de",), capacity={"email": 2}),
    a_specialist("ines", languages=("de",), presence="away"),
    a_specialist("tom"),
)


def shown(*records: Envelope[Event] | Decline) -> list[str]:
    """Return the decisions about one ticket, as they are printed."""
    session = AssignmentSession(Roster([]), [], NOON, OfferRules())
    for record in records:
        if isinstance(record, Decline):
            execute(session, record, None)
        else:
            session.apply(record)
    page = StringIO()
    decisions = [envelope.event for envelope in session.state.decisions]
    Console(file=page, width=100).print(decided(decisions, Local("UTC")))
    return [line.rstrip() for line in page.getvalue().splitlines()]


def test_the_document_shows_what_is_printed() -> None:
    """The example in docs/explain.md is exactly the output for these facts."""
    declined = Decline(ticket_id_of("test", "T1"), "jonas", "busy")
    page = shown(*TEAM, a_ticket("T1", language="de"), declined)
    assert "\n".join(page).strip() in DOCUMENT.read_text()


def test_a_waiting_ticket_shows_what_would_help_and_when_less_is_needed() -> None:
    """The failed rule of each specialist, one sufficient change, and the next relaxation."""
    page = shown(a_specialist("ines", presence="away"), a_ticket("T1"))
    assert page[2:] == [
        "  Mon 2 Mar 12:00:00 UTC: waits, no specialist could take it",
        "      Required: email, English at level 3",
        "      ines is not online",
        "      ines would have it if they were online.",
        "      Less is required from Mon 2 Mar 12:18:00 UTC.",
    ]


def test_a_large_roster_is_counted() -> None:
    """The best few are named; all others are counted by the rule that they fail."""
    team: list[Any] = [a_specialist(f"s{n:02}") for n in range(30)]
    others = [a_specialist(f"x{n}", languages=("fr",)) for n in range(2)]
    page = shown(*team, *others, a_ticket("T1"))
    assert "      2 others do not speak it well enough" in page
    assert "      25 others could take it, too" in page
