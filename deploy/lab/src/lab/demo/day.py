"""Generates a realistic day of premium requests; pure, and the same for the same seed.

The day contains the required result of everything it sends, which the proof checks at the end.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from itertools import count
from random import Random
from typing import Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from lab.demo.bad_messages import BAD_MESSAGES
from lab.demo.content import Account, Text, day_content, person, seeded_random
from lab.own_stack import OWN_SOURCE
from shared.events import Inbound, LaterFact, SupportRequest
from shared.sla.promises import Channel

__all__ = ["FIRST_DAY", "SCENARIOS", "Day", "Message", "Scenario", "Transport", "a_day"]

type Transport = Literal["http", "kafka"]
type Scenario = Literal[
    "plain", "slow", "reported_late", "waits", "overclaimed", "withdrawn", "answered_elsewhere"
]

SCENARIOS: Final[dict[Scenario, str]] = {
    "plain": "a specialist answers",
    "slow": "a specialist answers after the due time: a breach or a miss",
    "reported_late": "answered in time, but reported after the due time: a retraction",
    "waits": "the specialist asks back, and the clock pauses until the customer replies",
    "overclaimed": "claimed as business-critical; the specialist finds that it is not",
    "withdrawn": "the customer solves it and closes the request before a specialist answers",
    "answered_elsewhere": "another help desk answers, and its answer overtakes the request",
}

FIRST_DAY: Final = date(2026, 3, 3)
"""A Tuesday without holidays or clock changes in the day's time zones."""
PHONE_HOURS: Final = (time(9, 35), time(10, 35))
"""Callbacks can be requested in these hours (UTC), chats in those below, the form always."""
CHAT_HOURS: Final = (time(14), time(14, 12))
RUSH: Final = (time(10), time(10, 15))
OUTAGE: Final = (time(11, 15), time(11, 30))

_EMAILS, _CALLBACKS, _CHATS, _RUSHING, _LOCKED_OUT = 560, 60, 30, 60, 60
_CLAIM_SHARE, _DESCRIBED_SHARE, _ADMIN_SHARE = 0.12, 0.75, 0.5
_KAFKA_SHARE, _OTHER_TRANSPORT_SHARE, _LATE_SHARE, _LATE_REPLY_SHARE, _NAMED_SHARE = (
    0.25,
    0.5,
    0.03,
    0.3,
    0.5,
)
_NIGHT, _MORNING, _AFTERNOON = (1, 1, 1, 1, 1, 2, 4, 8), (14, 16, 16, 14), (10, 12, 14, 14, 12, 9)
_EMAIL_WEIGHTS: Final = (*_NIGHT, *_MORNING, *_AFTERNOON, 5, 3, 2, 2, 1, 1)
"""The share of emails in each hour of the requester's local day."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message to send: at a business time, by HTTP or Kafka.

    ``document`` is None for a bad message, and ``reason`` is then the expected refusal.
    """

    at: datetime
    transport: Transport
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    document: Inbound | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Day:
    """All messages of a day, in order of time, and the scenario of each request."""

    date: date
    requests: dict[UUID, SupportRequest]
    scenarios: dict[UUID, Scenario]
    messages: tuple[Message, ...]


def a_day(seed: int, on: date, *, run: str) -> Day:
    """Generate the day ``on``. ``run`` is part of every id, so that runs share no ticket."""
    return _Writer(seeded_random(seed, on), on, run).write()


@dataclass(slots=True)
class _Writer:
    rng: Random
    on: date
    run: str
    requests: dict[UUID, SupportRequest] = field(default_factory=dict)
    scenarios: dict[UUID, Scenario] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=partial(count, 1))

    def write(self) -> Day:
        self._normal_requests()
        self._bursts()
        self._assign_scenarios()
        for request in self.requests.values():
            self._send_request(request)
        self._replies()
        self._duplicates()
        self._bad_messages()
        self.messages.sort(key=lambda message: message.at)
        return Day(self.on, self.requests, self.scenarios, tuple(self.messages))

    def _normal_requests(self) -> None:
        accounts = day_content().accounts
        weights = [account.weight for account in accounts]
        for account in self.rng.choices(accounts, weights, k=_EMAILS):
            self._add_request("email", account, self._office_moment(account))
        for account in self.rng.choices(accounts, weights, k=_CALLBACKS):
            self._add_request("phone", account, self._moment(PHONE_HOURS))
        for account in self.rng.choices(accounts, weights, k=_CHATS):
            self._add_request("chat", account, self._moment(CHAT_HOURS))

    def _bursts(self) -> None:
        for account in self.rng.choices(day_content().accounts, k=_RUSHING):
            self._add_request("phone", account, self._moment(RUSH))
        out = next(
            a for a in day_content().accounts if a.account_id == day_content().outage_account_id
        )
        for _ in range(_LOCKED_OUT):
            self._add_request("email", out, self._moment(OUTAGE), critical=True)

    def _add_request(
        self, channel: Channel, account: Account, at: datetime, *, critical: bool = False
    ) -> None:
        rng = self.rng
        language = rng.choices([*account.languages], [*account.languages.values()])[0]
        claims = channel == "email" and (critical or self._chance(_CLAIM_SHARE))
        described = critical or self._chance(_DESCRIBED_SHARE)
        text = self._text(channel, language, claims=claims)
        admin = self._chance(_ADMIN_SHARE)
        number = rng.randint(1, account.super_admins if admin else account.seats)
        request = SupportRequest(
            source=f"{OWN_SOURCE}demo.{channel}.{self.run}",
            external_id=f"{self.on:%m%d}-{next(self.numbers):05d}",
            account_id=account.account_id,
            requester_id=person("admin" if admin else "user", number, account),
            role="super_admin" if admin else "seat",
            channel=channel,
            severity="business_critical" if claims else "standard",
            language=language,
            time_zone=account.time_zone,
            subject=text.subject,
            body=text.body if described or not claims else "",
            occurred_at=at,
        )
        self.requests[request.ticket_id] = request
        self.scenarios[request.ticket_id] = "plain"

    def _text(self, channel: Channel, language: str, *, claims: bool) -> Text:
        texts = day_content().texts[language]
        if channel == "phone":
            return self.rng.choice(texts.call)
        return self.rng.choice(texts.critical if claims else texts.standard)

    def _assign_scenarios(self) -> None:
        """Choose requests with special scenarios."""

        def assign(scenario: Scenario, number: int, fits: Callable[[SupportRequest], bool]) -> None:
            free = [t for t, r in self.requests.items() if self.scenarios[t] == "plain" and fits(r)]
            self.scenarios.update(
                dict.fromkeys(self.rng.sample(free, min(number, len(free))), scenario)
            )

        assign("overclaimed", 12, lambda r: bool(r.severity == "business_critical" and r.body))
        assign("reported_late", 8, _is_hourly)
        assign("slow", 8, _is_hourly)
        assign("slow", 4, lambda r: r.channel == "phone")
        assign("waits", 24, _is_hourly)
        assign("withdrawn", 24, _is_hourly)
        assign("answered_elsewhere", 12, _is_hourly)

    def _send_request(self, request: SupportRequest) -> None:
        at = request.occurred_at
        scenario = self.scenarios[request.ticket_id]
        if scenario == "answered_elsewhere":
            answered = at + self._minutes(5, 15)
            self._send_fact(request, "responded", answered)
            self._send(request, answered + self._minutes(1, 5))
            return
        if scenario == "withdrawn":
            self._send_fact(request, "closed", at + self._minutes(5, 12))
        late = request.channel == "email" and scenario == "plain" and self._chance(_LATE_SHARE)
        self._send(request, at + self._minutes(1, 9) if late else at)

    def _replies(self) -> None:
        """Add replies of customers; some arrive late, or before their request."""
        plain = [r for t, r in self.requests.items() if self.scenarios[t] == "plain"]
        emails = [request for request in plain if request.channel == "email"]
        for request in self.rng.sample(emails, len(emails) // 12):
            wrote = request.occurred_at + self._minutes(1, 12)
            late = self._minutes(20, 40) if self._chance(_LATE_REPLY_SHARE) else timedelta()
            self._send_fact(request, "customer_replied", wrote, late=late)

    def _duplicates(self) -> None:
        good = [(message, message.document) for message in self.messages if message.document]
        for message, document in self.rng.sample(good, len(good) // 16):
            other: Transport = "kafka" if message.transport == "http" else "http"
            transport = other if self._chance(_OTHER_TRANSPORT_SHARE) else message.transport
            at = message.at + timedelta(seconds=self.rng.choice((0, 2, 45, 600)))
            self._put(document, at, transport)

    def _bad_messages(self) -> None:
        for number, bad in enumerate(BAD_MESSAGES * 2):
            key = f"{self.run}-{self.on:%m%d}-bad_messages-{number}".encode()
            at = self._moment((time(0, 30), time(23)))
            value = bad.value and bad.value.replace(b"%KEY%", key)
            self.messages.append(
                Message(at, bad.transport, key, value, bad.headers, reason=bad.reason)
            )

    def _send_fact(
        self,
        request: SupportRequest,
        what: Literal["responded", "customer_replied", "closed"],
        at: datetime,
        *,
        late: timedelta = timedelta(),
    ) -> None:
        named = self._chance(_NAMED_SHARE)
        fact = LaterFact(
            source=request.source,
            external_id=request.external_id,
            type=what,
            occurred_at=at,
            event_id=f"{what}-{next(self.numbers)}" if named else None,
        )
        self._send(fact, at + late)

    def _send(self, document: Inbound, at: datetime) -> None:
        self._put(document, at, "kafka" if self._chance(_KAFKA_SHARE) else "http")

    def _put(self, document: Inbound, at: datetime, transport: Transport) -> None:
        value = document.model_dump_json(exclude_none=True).encode()
        key = document.external_id.encode()
        self.messages.append(Message(at, transport, key, value, document=document))

    def _chance(self, share: float) -> bool:
        return self.rng.random() < share

    def _moment(self, hours: Sequence[time]) -> datetime:
        opens, closes = (datetime.combine(self.on, hour, UTC) for hour in hours)
        return opens + timedelta(seconds=self.rng.randrange(int((closes - opens).total_seconds())))

    def _office_moment(self, account: Account) -> datetime:
        midnight = datetime.combine(self.on, time(), UTC)
        hours = [midnight + timedelta(hours=hour) for hour in range(24)]
        zone = ZoneInfo(account.time_zone)
        weights = [_EMAIL_WEIGHTS[hour.astimezone(zone).hour] for hour in hours]
        return self.rng.choices(hours, weights)[0] + timedelta(seconds=self.rng.randrange(3600))

    def _minutes(self, least: int, most: int) -> timedelta:
        return timedelta(seconds=self.rng.randint(least * 60, most * 60))


def _is_hourly(request: SupportRequest) -> bool:
    """Return whether this is a super admin's standard email, due in an hour: any scenario fits."""
    return (request.channel, request.role, request.severity) == ("email", "super_admin", "standard")
