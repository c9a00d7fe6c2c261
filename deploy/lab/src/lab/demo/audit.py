"""The demo's proof: every message sent has become of exactly what it must, and nothing else has.

Kafka and PostgreSQL are read anew for it; what the screen showed counts for nothing.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from lab.demo.ledger import Ledger, Outcome
from lab.proof.published import PublishedFacts
from lab.proof.tables import ClockRow, DatabaseState
from lab.proof.verdict import fact_id, verify
from shared.events import (
    AssignmentHandedBack,
    AssignmentReleased,
    AssignmentResponded,
    CallbackAttempted,
    CustomerReplied,
    Event,
    NotificationFailed,
    NotificationSent,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
    PromiseBreached,
    PromiseMissed,
    PromiseRetracted,
    SeverityConfirmed,
    SeverityReclassified,
    TicketAssigned,
    TicketDeclined,
    TicketFact,
    TicketOffered,
)
from shared.platform.dead_letters import DeadLetter

__all__ = ["Evidence", "Finding", "audit", "since"]

_BROKEN: Final = (PromiseBreached.type, PromiseMissed.type)
_TOLD_AS: Final[dict[str, tuple[type[Event], ...]]] = {
    "accept": (OfferAccepted,),
    "decline": (OfferDeclined, TicketDeclined),
    "hand_back": (AssignmentHandedBack,),
    "respond": (AssignmentResponded,),
    "confirm": (SeverityConfirmed,),
    "reclassify": (SeverityReclassified,),
    "dial": (CallbackAttempted,),
}
"""Acts that are facts of their own; a move or a pin is told by what comes of it."""
_OUTCOMES: Final[tuple[Outcome, ...]] = ("kept", "breached", "missed", "cancelled")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was sent, and what is there. ``mails`` holds the deliveries' ids that the sink has."""

    ledger: Ledger
    published: PublishedFacts
    state: DatabaseState
    mails: frozenset[str]
    surprises: Sequence[str]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked into; no faults means that it is as it must be."""

    what: str
    number: str
    found: str
    faults: Sequence[str]


def since(before: DatabaseState, after: DatabaseState) -> DatabaseState:
    """Leave out what was there before the play."""
    old = {ticket.ticket_id for ticket in before.routed}
    timed = {clock.ticket_id for clock in before.clocks}
    return replace(
        after,
        tickets=after.tickets - before.tickets,
        routed=[ticket for ticket in after.routed if ticket.ticket_id not in old],
        actions=[deed for deed in after.actions if deed.ticket_id not in old],
        clocks=[clock for clock in after.clocks if clock.ticket_id not in timed],
        deliveries={k: v for k, v in after.deliveries.items() if k not in before.deliveries},
        dead_letters=[letter for letter in after.dead_letters if letter not in before.dead_letters],
    )


def audit(evidence: Evidence) -> list[Finding]:
    """Look into everything."""
    return [
        _documents(evidence),
        _copies(evidence),
        _garbage(evidence),
        _promises(evidence),
        _retractions(evidence),
        _offers(evidence),
        _assignments(evidence),
        _deeds(evidence),
        _mails(evidence),
        _books(evidence),
    ]


def _documents(evidence: Evidence) -> Finding:
    """Each request and each fact stands on tickets.v1 once, under the id that follows from it."""
    ledger, published = evidence.ledger, evidence.published
    ours = _tickets(ledger)
    sent = {fact_id(document): document for document in ledger.documents}
    told = [fact for fact in published.facts.values() if fact.topic == TicketFact.topic]
    found = {fact.id: fact for fact in told if fact.ticket in ours}
    lost = [f"{sent[i].external_id}: not on tickets.v1" for i in sent.keys() - found.keys()]
    invented = [found[i] for i in found.keys() - sent.keys()]
    more = [f"{fact.type} of {fact.ticket}: nobody sent it" for fact in invented]
    told_text = f"{len(ledger.requests):,} requests, {len(ledger.facts):,} later facts, once each"
    return Finding("documents", f"{len(sent):,}", told_text, [*lost, *more])


def _copies(evidence: Evidence) -> Finding:
    """Nothing that was sent twice was taken twice: intake knows each ticket once."""
    ledger, state = evidence.ledger, evidence.state
    ours = {request.ticket_id for request in ledger.requests.values()}
    lost = [f"{ticket_id}: no ticket in intake" for ticket_id in ours - state.tickets]
    return Finding("sent again", f"{ledger.doubles:,}", "none taken twice, by either door", lost)


def _garbage(evidence: Evidence) -> Finding:
    """Each bad record is dead_letters once, byte for byte and for its fault; bad HTTP is refused."""
    by_key: dict[bytes | None, list[DeadLetter]] = {}
    for letter in evidence.state.dead_letters:
        by_key.setdefault(letter.key, []).append(letter)
    faults = list(evidence.surprises)
    garbage = [sending for sending in evidence.ledger.garbage if sending.door == "kafka"]
    for bad in garbage:
        letters = by_key.pop(bad.key, [])
        found = [(x.value, tuple(x.headers), x.reason) for x in letters]
        if found != [(bad.value, bad.headers, bad.reason)]:
            told = ", ".join(letter.reason for letter in letters) or "nothing"
            faults.append(
                f"{bad.key.decode()}: dead_letters as {told}, not once as {bad.reason}, intact"
            )
    faults += [
        f"dead_letters by mistake: {x.topic}: {x.detail}" for y in by_key.values() for x in y
    ]
    http = len(evidence.ledger.garbage) - len(garbage)
    found_text = f"{len(evidence.state.dead_letters)} dead_letters intact, {http} refused"
    return Finding("garbage", f"{len(evidence.ledger.garbage)}", found_text, faults)


def _promises(evidence: Evidence) -> Finding:
    """Each promise has the one outcome that the oracle finds from what was sent."""
    expected = dict(evidence.ledger.outcomes(evidence.state.actions))
    clocks: dict[UUID, list[ClockRow]] = {}
    for clock in evidence.state.clocks:
        clocks.setdefault(clock.ticket_id, []).append(clock)
    broken: Counter[str] = Counter()
    for fact in evidence.published.facts.values():
        broken[fact.ticket] += (fact.type in _BROKEN) - (fact.type == PromiseRetracted.type)
    faults = []
    for ticket_id, outcome in expected.items():
        found = [_outcome(clock) for clock in clocks.get(ticket_id, [])]
        if found != [outcome]:
            faults.append(f"{ticket_id}: {' and '.join(found) or 'no promise'}, not {outcome}")
        elif broken[str(ticket_id)] != (outcome in ("breached", "missed")):
            faults.append(
                f"{ticket_id}: {outcome}, but announced as broken {broken[str(ticket_id)]}x"
            )
    counts = Counter(expected.values())
    told = " · ".join(
        f"{counts[name]:,} {name}" for name in ("kept", "breached", "missed", "cancelled")
    )
    return Finding("promises", f"{len(expected):,}", told, faults)


def _retractions(evidence: Evidence) -> Finding:
    """Let nothing be taken back that was not said, and nothing twice."""
    named = Counter(
        f.about["retracted_id"] for f in evidence.published.of_type(PromiseRetracted.type)
    )
    said = {str(fact.id) for fact in evidence.published.facts.values() if fact.type in _BROKEN}
    faults = [f"{name}: taken back, but never said" for name in named.keys() - said]
    faults += [f"{name}: taken back {times}x" for name, times in named.items() if times > 1]
    found = "taken back: a late fact showed that it was kept"
    return Finding("retractions", f"{named.total():,}", found, faults)


def _outcome(clock: ClockRow) -> Outcome | str:
    if clock.broken:
        return clock.broken
    return {"met": "kept", "cancelled": "cancelled"}.get(clock.state, clock.state)


def _assignments(evidence: Evidence) -> Finding:
    """Whoever was given a ticket handed it back or finished it, and nobody holds one still.

    It is finished once, and once more after each reply of the customer at most.
    """
    given, back, done, replied = (
        _by_ticket(evidence.published, kinds)
        for kinds in (
            (TicketAssigned,),
            (TicketDeclined, AssignmentHandedBack),
            (AssignmentReleased,),
            (CustomerReplied,),
        )
    )
    faults = [
        f"{name}: assigned {given[name]}x, declined {back[name]}x, released {done[name]}x"
        for name in _tickets(evidence.ledger)
        if given[name] != back[name] + done[name] or done[name] > 1 + replied[name]
    ]
    faults += [f"{t.ticket_id}: still waits" for t in evidence.state.routed if t.waiting]
    told = f"{back.total():,} declined + {done.total():,} released"
    return Finding("assignments", f"{given.total():,}", told, faults)


def _deeds(evidence: Evidence) -> Finding:
    """Each act at a desk, played or a person's, is told once, and none that nobody did."""
    ours = _tickets(evidence.ledger)
    done = Counter(
        (str(deed.ticket_id), deed.kind)
        for deed in evidence.state.actions
        if deed.kind in _TOLD_AS and str(deed.ticket_id) in ours
    )
    told = Counter(
        (fact.ticket, kind)
        for kind, events in _TOLD_AS.items()
        for event in events
        for fact in evidence.published.of_type(event.type)
        if fact.ticket in ours
        and (event is not AssignmentHandedBack or fact.about["cause"] == "by_hand")
    )
    faults = [
        f"{ticket}: {kind} {done[ticket, kind]}x, told {told[ticket, kind]}x"
        for ticket, kind in done.keys() | told.keys()
        if done[ticket, kind] != told[ticket, kind]
    ]
    kinds = Counter(deed.kind for deed in evidence.state.actions)
    found = " · ".join(f"{times:,} {kind.replace('_', ' ')}" for kind, times in kinds.most_common())
    return Finding("acts", f"{kinds.total():,}", found, faults)


def _offers(evidence: Evidence) -> Finding:
    """Each offer came to one end."""
    offered = Counter(f.about["offer_id"] for f in evidence.published.of_type(TicketOffered.type))
    ends = [
        Counter(f.about["offer_id"] for f in evidence.published.of_type(kind.type))
        for kind in (OfferAccepted, OfferDeclined, OfferExpired, OfferWithdrawn)
    ]
    ended = sum(ends, Counter[str]())
    faults = [
        f"offer {name}: made {offered[name]}x, ended {ended[name]}x"
        for name in offered.keys() | ended.keys()
        if (offered[name], ended[name]) != (1, 1)
    ]
    words = ("accepted", "declined", "expired", "withdrawn")
    told = " · ".join(f"{end.total():,} {w}" for end, w in zip(ends, words, strict=True))
    return Finding("offers", f"{offered.total():,}", told, faults)


def _by_ticket(published: PublishedFacts, kinds: Sequence[type[Event]]) -> Counter[str]:
    return Counter(fact.ticket for kind in kinds for fact in published.of_type(kind.type))


def _mails(evidence: Evidence) -> Finding:
    """Each delivery ended once: a mail in the sink, or a failure that is told."""
    sent, failed = (
        Counter(fact.about["delivery_id"] for fact in evidence.published.of_type(event.type))
        for event in (NotificationSent, NotificationFailed)
    )
    faults = []
    for delivery_id in map(str, evidence.state.deliveries):
        came = delivery_id.replace("-", "") in evidence.mails
        if (sent[delivery_id], failed[delivery_id], came) not in ((1, 0, True), (0, 1, False)):
            told = f"sent {sent[delivery_id]}x, failed {failed[delivery_id]}x"
            faults.append(f"delivery {delivery_id}: {told}, {'' if came else 'not '}in the sink")
    told = f"{sent.total():,} in the sink · {failed.total():,} failed"
    return Finding("mails", f"{len(evidence.state.deliveries):,}", told, faults)


def _books(evidence: Evidence) -> Finding:
    """Let the databases and the topics agree, and nothing stand under two ids."""
    verdict = verify(evidence.ledger.documents, evidence.published, evidence.state)
    repeats = evidence.published.repeats.total()
    found = "topics and databases agree" + (f", {repeats} records repeated" if repeats else "")
    number = f"{len(evidence.published.facts):,}"
    return Finding("facts in all", number, found, [*verdict.lost, *verdict.doubled])


def _tickets(ledger: Ledger) -> set[str]:
    return {str(request.ticket_id) for request in ledger.requests.values()}
