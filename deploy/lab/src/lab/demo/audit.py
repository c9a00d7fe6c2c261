"""The demo's proof: every sent message had exactly the required result, and there is nothing else.

It reads Kafka and PostgreSQL again; it does not use the state of the screen.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from lab.demo.sent import PromiseOutcome, SentMessages
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
_EVENTS_OF: Final[dict[str, tuple[type[Event], ...]]] = {
    "accept": (OfferAccepted,),
    "decline": (OfferDeclined, TicketDeclined),
    "hand_back": (AssignmentHandedBack,),
    "respond": (AssignmentResponded,),
    "confirm": (SeverityConfirmed,),
    "reclassify": (SeverityReclassified,),
    "dial": (CallbackAttempted,),
}
"""The events of each kind of action; a move or a pin has no event of its own."""
_OUTCOMES: Final[tuple[PromiseOutcome, ...]] = ("kept", "breached", "missed", "cancelled")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was sent, published and stored. ``mails`` has the delivery ids in the mail sink."""

    sent: SentMessages
    published: PublishedFacts
    state: DatabaseState
    mails: frozenset[str]
    unexpected_answers: Sequence[str]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check; it passed if there are no faults."""

    what: str
    number: str
    found: str
    faults: Sequence[str]


def since(before: DatabaseState, after: DatabaseState) -> DatabaseState:
    """Return the state without what existed before the demo."""
    old = {ticket.ticket_id for ticket in before.routed}
    timed = {clock.ticket_id for clock in before.clocks}
    return replace(
        after,
        tickets=after.tickets - before.tickets,
        routed=[ticket for ticket in after.routed if ticket.ticket_id not in old],
        actions=[action for action in after.actions if action.ticket_id not in old],
        clocks=[clock for clock in after.clocks if clock.ticket_id not in timed],
        deliveries={k: v for k, v in after.deliveries.items() if k not in before.deliveries},
        dead_letters=[one for one in after.dead_letters if one not in before.dead_letters],
    )


def audit(evidence: Evidence) -> list[Finding]:
    """Run all checks."""
    return [
        _documents(evidence),
        _copies(evidence),
        _bad_messages(evidence),
        _promises(evidence),
        _retractions(evidence),
        _offers(evidence),
        _assignments(evidence),
        _actions(evidence),
        _mails(evidence),
        _consistency(evidence),
    ]


def _documents(evidence: Evidence) -> Finding:
    """Find sent requests and facts that tickets.v1 lacks, and facts there that were not sent."""
    sent, published = evidence.sent, evidence.published
    ours = _tickets(sent)
    expected = {fact_id(document): document for document in sent.documents}
    facts = [fact for fact in published.facts.values() if fact.topic == TicketFact.topic]
    found = {fact.id: fact for fact in facts if fact.ticket in ours}
    lost = [f"{expected[i].external_id}: not on tickets.v1" for i in expected.keys() - found.keys()]
    invented = [found[i] for i in found.keys() - expected.keys()]
    more = [f"{fact.type} of {fact.ticket}: was not sent" for fact in invented]
    result = f"{len(sent.requests):,} requests, {len(sent.facts):,} later facts, once each"
    return Finding("documents", f"{len(expected):,}", result, [*lost, *more])


def _copies(evidence: Evidence) -> Finding:
    """Find requests without a ticket. Copies of a request have one id, so they have one ticket."""
    sent, state = evidence.sent, evidence.state
    ours = {request.ticket_id for request in sent.requests.values()}
    lost = [f"{ticket_id}: no ticket in intake" for ticket_id in ours - state.tickets]
    return Finding(
        "repeated documents", f"{sent.doubles:,}", "none accepted twice, by HTTP or Kafka", lost
    )


def _bad_messages(evidence: Evidence) -> Finding:
    """Find bad records without exactly one unchanged dead letter of the expected reason."""
    by_key: dict[bytes | None, list[DeadLetter]] = {}
    for one in evidence.state.dead_letters:
        by_key.setdefault(one.key, []).append(one)
    faults = list(evidence.unexpected_answers)
    bad_messages = [one for one in evidence.sent.bad_messages if one.transport == "kafka"]
    for bad in bad_messages:
        letters = by_key.pop(bad.key, [])
        found = [(x.value, tuple(x.headers), x.reason) for x in letters]
        if found != [(bad.value, bad.headers, bad.reason)]:
            reasons = ", ".join(one.reason for one in letters) or "none"
            faults.append(
                f"{bad.key.decode()}: dead letters {reasons}; must be one, {bad.reason}, intact"
            )
    faults += [f"unexpected dead one: {x.topic}: {x.detail}" for y in by_key.values() for x in y]
    http = len(evidence.sent.bad_messages) - len(bad_messages)
    result = f"{len(evidence.state.dead_letters)} dead letters intact, {http} refused by HTTP"
    return Finding("bad messages", f"{len(evidence.sent.bad_messages)}", result, faults)


def _promises(evidence: Evidence) -> Finding:
    """Find promises whose outcome differs from the one computed from the sent documents."""
    expected = dict(evidence.sent.outcomes(evidence.state.actions))
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
    result = " · ".join(
        f"{counts[name]:,} {name}" for name in ("kept", "breached", "missed", "cancelled")
    )
    return Finding("promises", f"{len(expected):,}", result, faults)


def _retractions(evidence: Evidence) -> Finding:
    """Find retractions of events that were not published, or were retracted before."""
    named = Counter(
        f.about["retracted_id"] for f in evidence.published.of_type(PromiseRetracted.type)
    )
    broken = {str(fact.id) for fact in evidence.published.facts.values() if fact.type in _BROKEN}
    faults = [f"{name}: retracted, but never published" for name in named.keys() - broken]
    faults += [f"{name}: retracted {times}x" for name, times in named.items() if times > 1]
    found = "a late fact showed that the promise was kept"
    return Finding("retractions", f"{named.total():,}", found, faults)


def _outcome(clock: ClockRow) -> PromiseOutcome | str:
    if clock.broken:
        return clock.broken
    return {"met": "kept", "cancelled": "cancelled"}.get(clock.state, clock.state)


def _assignments(evidence: Evidence) -> Finding:
    """Find assignments that did not end exactly once, by a return or a release.

    A ticket is released once, and at most once more after each reply of the customer.
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
        for name in _tickets(evidence.sent)
        if given[name] != back[name] + done[name] or done[name] > 1 + replied[name]
    ]
    faults += [f"{t.ticket_id}: still waits" for t in evidence.state.routed if t.waiting]
    result = f"{back.total():,} declined + {done.total():,} released"
    return Finding("assignments", f"{given.total():,}", result, faults)


def _actions(evidence: Evidence) -> Finding:
    """Find actions, simulated or in the inbox, that were not published exactly once."""
    ours = _tickets(evidence.sent)
    done = Counter(
        (str(action.ticket_id), action.kind)
        for action in evidence.state.actions
        if action.kind in _EVENTS_OF and str(action.ticket_id) in ours
    )
    published = Counter(
        (fact.ticket, kind)
        for kind, events in _EVENTS_OF.items()
        for event in events
        for fact in evidence.published.of_type(event.type)
        if fact.ticket in ours
        and (event is not AssignmentHandedBack or fact.about["cause"] == "by_hand")
    )
    faults = [
        f"{ticket}: {kind} {done[ticket, kind]}x, published {published[ticket, kind]}x"
        for ticket, kind in done.keys() | published.keys()
        if done[ticket, kind] != published[ticket, kind]
    ]
    kinds = Counter(action.kind for action in evidence.state.actions)
    found = " · ".join(f"{times:,} {kind.replace('_', ' ')}" for kind, times in kinds.most_common())
    return Finding("commands", f"{kinds.total():,}", found, faults)


def _offers(evidence: Evidence) -> Finding:
    """Find offers that did not end exactly once."""
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
    names = ("accepted", "declined", "expired", "withdrawn")
    result = " · ".join(f"{end.total():,} {w}" for end, w in zip(ends, names, strict=True))
    return Finding("offers", f"{offered.total():,}", result, faults)


def _by_ticket(published: PublishedFacts, kinds: Sequence[type[Event]]) -> Counter[str]:
    return Counter(fact.ticket for kind in kinds for fact in published.of_type(kind.type))


def _mails(evidence: Evidence) -> Finding:
    """Find deliveries without exactly one result: a mail in the sink, or a published failure."""
    sent, failed = (
        Counter(fact.about["delivery_id"] for fact in evidence.published.of_type(event.type))
        for event in (NotificationSent, NotificationFailed)
    )
    faults = []
    for delivery_id in map(str, evidence.state.deliveries):
        came = delivery_id.replace("-", "") in evidence.mails
        if (sent[delivery_id], failed[delivery_id], came) not in ((1, 0, True), (0, 1, False)):
            counts = f"sent {sent[delivery_id]}x, failed {failed[delivery_id]}x"
            faults.append(f"delivery {delivery_id}: {counts}, {'' if came else 'not '}in the sink")
    result = f"{sent.total():,} in the sink · {failed.total():,} failed"
    return Finding("mails", f"{len(evidence.state.deliveries):,}", result, faults)


def _consistency(evidence: Evidence) -> Finding:
    """Compare databases and topics."""
    verdict = verify(evidence.sent.documents, evidence.published, evidence.state)
    repeats = evidence.published.repeats.total()
    found = "topics and databases agree" + (f", {repeats} records repeated" if repeats else "")
    number = f"{len(evidence.published.facts):,}"
    return Finding("facts in all", number, found, [*verdict.lost, *verdict.doubled])


def _tickets(sent: SentMessages) -> set[str]:
    return {str(request.ticket_id) for request in sent.requests.values()}
