"""A believable day of premium requests: pure, and the same for the same seed.

The day knows what must become of everything it sends; the proof at the end holds us to that.
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

from lab.demo.garbage import GARBAGE
from lab.demo.script import Account, Text, dice, person, script
from lab.own_stack import OWN_SOURCE
from shared.events import Inbound, LaterFact, SupportRequest
from shared.sla.promises import Channel

__all__ = ["FIRST_DAY", "STORIES", "Day", "Door", "Sending", "Story", "a_day"]

type Door = Literal["http", "kafka"]
type Story = Literal[
    "plain", "slow", "told_late", "waits", "overclaimed", "withdrawn", "answered_elsewhere"
]

STORIES: Final[dict[Story, str]] = {
    "plain": "a specialist answers",
    "slow": "a specialist answers after the due time: a breach or a miss",
    "told_late": "answered in time, but we hear of it after the due time: a retraction",
    "waits": "the specialist asks back, and the clock pauses until the customer replies",
    "overclaimed": "said to be business-critical; the specialist finds it is not",
    "withdrawn": "the customer solves it and closes the request before anybody answers",
    "answered_elsewhere": "another help desk answers, and its answer overtakes the request",
}

FIRST_DAY: Final = date(2026, 3, 3)
"""A Tuesday without a holiday or a change of clocks in the zones of the day."""
PHONE_HOURS: Final = (time(9, 35), time(10, 35))
"""Callbacks are offered in these hours, UTC, and web chat in the next; the form always."""
CHAT_HOURS: Final = (time(14), time(14, 12))
RUSH: Final = (time(10), time(10, 15))
OUTAGE: Final = (time(11, 15), time(11, 30))

_EMAILS, _CALLBACKS, _CHATS, _RUSHING, _LOCKED_OUT = 560, 60, 30, 60, 60
_CLAIM_SHARE, _DESCRIBED_SHARE, _ADMIN_SHARE = 0.12, 0.75, 0.5
_KAFKA_SHARE, _OTHER_DOOR_SHARE, _LATE_SHARE, _LATE_WORDS_SHARE, _NAMED_SHARE = (
    0.25,
    0.5,
    0.03,
    0.3,
    0.5,
)
_NIGHT, _MORNING, _AFTERNOON = (1, 1, 1, 1, 1, 2, 4, 8), (14, 16, 16, 14), (10, 12, 14, 14, 12, 9)
_EMAIL_WEIGHTS: Final = (*_NIGHT, *_MORNING, *_AFTERNOON, 5, 3, 2, 2, 1, 1)
"""How many people write in each hour of *their* day."""


@dataclass(frozen=True, slots=True)
class Sending:
    """One message as it reaches us: at this business time, by this door.

    ``document`` is None for garbage, and then ``reason`` says for what fault it must be refused.
    """

    at: datetime
    door: Door
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    document: Inbound | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Day:
    """All that reaches us in one day, in order of arrival, and the story of each request."""

    date: date
    requests: dict[UUID, SupportRequest]
    stories: dict[UUID, Story]
    sendings: tuple[Sending, ...]


def a_day(seed: int, on: date, *, run: str) -> Day:
    """Make the day ``on``. ``run`` is part of every name, so that days never meet."""
    return _Writer(dice(seed, on), on, run).write()


@dataclass(slots=True)
class _Writer:
    rng: Random
    on: date
    run: str
    requests: dict[UUID, SupportRequest] = field(default_factory=dict)
    stories: dict[UUID, Story] = field(default_factory=dict)
    sendings: list[Sending] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=partial(count, 1))

    def write(self) -> Day:
        self._quiet_flow()
        self._bursts()
        self._cast()
        for request in self.requests.values():
            self._send_request(request)
        self._small_talk()
        self._duplicates()
        self._garbage()
        self.sendings.sort(key=lambda sending: sending.at)
        return Day(self.on, self.requests, self.stories, tuple(self.sendings))

    def _quiet_flow(self) -> None:
        accounts = script().accounts
        weights = [account.weight for account in accounts]
        for account in self.rng.choices(accounts, weights, k=_EMAILS):
            self._ask("email", account, self._office_moment(account))
        for account in self.rng.choices(accounts, weights, k=_CALLBACKS):
            self._ask("phone", account, self._moment(PHONE_HOURS))
        for account in self.rng.choices(accounts, weights, k=_CHATS):
            self._ask("chat", account, self._moment(CHAT_HOURS))

    def _bursts(self) -> None:
        for account in self.rng.choices(script().accounts, k=_RUSHING):
            self._ask("phone", account, self._moment(RUSH))
        out = next(a for a in script().accounts if a.account_id == script().outage_account_id)
        for _ in range(_LOCKED_OUT):
            self._ask("email", out, self._moment(OUTAGE), critical=True)

    def _ask(
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
        self.stories[request.ticket_id] = "plain"

    def _text(self, channel: Channel, language: str, *, claims: bool) -> Text:
        texts = script().texts[language]
        if channel == "phone":
            return self.rng.choice(texts.call)
        return self.rng.choice(texts.critical if claims else texts.standard)

    def _cast(self) -> None:
        """Give some requests a story of their own."""

        def some(story: Story, number: int, fits: Callable[[SupportRequest], bool]) -> None:
            free = [t for t, r in self.requests.items() if self.stories[t] == "plain" and fits(r)]
            self.stories.update(dict.fromkeys(self.rng.sample(free, min(number, len(free))), story))

        some("overclaimed", 12, lambda r: bool(r.severity == "business_critical" and r.body))
        some("told_late", 8, _is_hourly)
        some("slow", 8, _is_hourly)
        some("slow", 4, lambda r: r.channel == "phone")
        some("waits", 24, _is_hourly)
        some("withdrawn", 24, _is_hourly)
        some("answered_elsewhere", 12, _is_hourly)

    def _send_request(self, request: SupportRequest) -> None:
        at = request.occurred_at
        story = self.stories[request.ticket_id]
        if story == "answered_elsewhere":
            answered = at + self._minutes(5, 15)
            self._tell(request, "responded", answered)
            self._send(request, answered + self._minutes(1, 5))
            return
        if story == "withdrawn":
            self._tell(request, "closed", at + self._minutes(5, 12))
        late = request.channel == "email" and story == "plain" and self._chance(_LATE_SHARE)
        self._send(request, at + self._minutes(1, 9) if late else at)

    def _small_talk(self) -> None:
        """Let customers write again; some of that arrives late, or before the request itself."""
        plain = [r for t, r in self.requests.items() if self.stories[t] == "plain"]
        emails = [request for request in plain if request.channel == "email"]
        for request in self.rng.sample(emails, len(emails) // 12):
            wrote = request.occurred_at + self._minutes(1, 12)
            late = self._minutes(20, 40) if self._chance(_LATE_WORDS_SHARE) else timedelta()
            self._tell(request, "customer_replied", wrote, late=late)

    def _duplicates(self) -> None:
        good = [(sending, sending.document) for sending in self.sendings if sending.document]
        for sending, document in self.rng.sample(good, len(good) // 16):
            other: Door = "kafka" if sending.door == "http" else "http"
            door = other if self._chance(_OTHER_DOOR_SHARE) else sending.door
            at = sending.at + timedelta(seconds=self.rng.choice((0, 2, 45, 600)))
            self._put(document, at, door)

    def _garbage(self) -> None:
        for number, bad in enumerate(GARBAGE * 2):
            key = f"{self.run}-{self.on:%m%d}-garbage-{number}".encode()
            at = self._moment((time(0, 30), time(23)))
            value = bad.value and bad.value.replace(b"%KEY%", key)
            self.sendings.append(Sending(at, bad.door, key, value, bad.headers, reason=bad.reason))

    def _tell(
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

    def _put(self, document: Inbound, at: datetime, door: Door) -> None:
        value = document.model_dump_json(exclude_none=True).encode()
        key = document.external_id.encode()
        self.sendings.append(Sending(at, door, key, value, document=document))

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
    """Tell a standard email of a super admin: an hour is long enough for a story."""
    return (request.channel, request.role, request.severity) == ("email", "super_admin", "standard")
