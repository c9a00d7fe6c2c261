"""The matching rules as data: what a ticket needs, how needs are relaxed, what counts how much."""

from datetime import datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise
from json import dumps, loads
from typing import Annotated, Final, NamedTuple, Self, override

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.events import Need, Weights
from shared.rosters import HIGHEST
from shared.sla.promises import Channel, PromiseClass, Role, Severity

__all__ = ["ENGLISH", "MatchingRules", "Pool", "SkillRule", "Step", "default_rules"]

ENGLISH: Final = "en"
_LOWEST: Final = 1
_AT_ONCE: Final = timedelta(microseconds=1)

_Level = Annotated[int, Field(ge=_LOWEST, le=HIGHEST)]


class Pool(NamedTuple):
    """Tickets with the same requirements: who can take one of them can take each of them.

    ``step`` is the number of relaxation steps that are due.
    """

    channel: Channel
    language: str
    step: int
    skills: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name under which a pool is stored."""
        return dumps([self.channel, self.language, self.step, *self.skills], ensure_ascii=False)

    @staticmethod
    @lru_cache(maxsize=4096)
    def named(name: str) -> "Pool":
        """Parse a stored name."""
        channel, language, step, *skills = loads(name)
        return Pool(channel, language, step, tuple(skills))


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Step(_Data):
    """A relaxation of a need, due when at most ``left`` percent of a ticket's time are left."""

    left: Annotated[int, Field(ge=0, le=99)]
    level_less: Annotated[int, Field(ge=0, lt=HIGHEST)] = 0
    english: bool = False
    anybody: bool = False

    @model_validator(mode="after")
    def _has_one_relaxation(self) -> Self:
        if (self.level_less > 0) + self.english + self.anybody != 1:
            raise ValueError("a step has one of level_less, english, anybody; split it in two")
        return self


class SkillRule(_Data):
    """The skills that tickets need which match all fields that are set."""

    needs: Annotated[tuple[str, ...], Field(min_length=1)]
    channel: Channel | None = None
    severity: Severity | None = None
    role: Role | None = None
    account_id: str | None = None


class MatchingRules(_Data):
    """All matching rules (docs/matching.md).

    ``levels`` are the language levels that channels need, from 1 to 5; ``class_weights`` multiply
    the time from create date to due time.
    """

    levels: dict[Channel, _Level]
    skills: tuple[SkillRule, ...]
    relax: tuple[Step, ...]
    class_weights: dict[PromiseClass, Annotated[int, Field(ge=1, le=100)]]
    late_gives_way_min: Annotated[int, Field(ge=0, le=10_000)]
    knows_days: Annotated[int, Field(ge=0, le=3650)]
    weights: Weights

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if len(self.levels) < len(_CHANNELS):
            raise ValueError(f"levels: give one for each of {', '.join(_CHANNELS)}")
        if len(self.class_weights) < len(_CLASSES):
            raise ValueError(f"class_weights: give one for each of {', '.join(_CLASSES)}")
        if any(after.left >= before.left for before, after in pairwise(self.relax)):
            raise ValueError("relax: each step comes later than the one before, with less left")
        return self

    @override
    def __hash__(self) -> int:
        return id(self)

    def needs(self, pool: Pool) -> tuple[Need, ...]:
        """Return needs of which one suffices: the full need, then one for each step that is due."""
        return self.all_needs(pool.channel, pool.language, pool.skills)[: pool.step + 1]

    def all_needs(
        self, channel: Channel, language: str, skills: tuple[str, ...]
    ) -> tuple[Need, ...]:
        """Return the full need, then one alternative need for each relaxation step, due or not."""
        return _all_needs(self, channel, language, skills)

    def skills_for(
        self, *, channel: Channel, severity: Severity, role: Role, account_id: str
    ) -> tuple[str, ...]:
        """Return the skills that a ticket needs, sorted."""
        facts = {"channel": channel, "severity": severity, "role": role, "account_id": account_id}
        return tuple(
            sorted(
                {
                    skill
                    for rule in self.skills
                    if all(getattr(rule, name) in {None, value} for name, value in facts.items())
                    for skill in rule.needs
                }
            )
        )

    def step(self, create_date: datetime, due_at: datetime, now: datetime) -> int:
        """Return the number of steps that are due."""
        return sum(_due_at(step, create_date, due_at) <= now for step in self.relax)

    def again_at(self, create_date: datetime, due_at: datetime, now: datetime) -> datetime | None:
        """Return when the next step is due or the ticket is late; None if all that has passed."""
        due = [*(_due_at(step, create_date, due_at) for step in self.relax), due_at + _AT_ONCE]
        return min((at for at in due if at > now), default=None)

    def rank_at(
        self, create_date: datetime, due_at: datetime, promise_class: PromiseClass, now: datetime
    ) -> datetime:
        """Return the place of a ticket in the order of work: its due time, weighted by its class.

        For some time a late ticket comes after those whose promise can still be kept. The place
        is a fixed time, never before the create date: tickets that are created after it come
        later, so every ticket gets its turn.
        """
        rank_at = create_date + self.class_weights[promise_class] * (due_at - create_date)
        if now <= due_at:
            return rank_at
        return max(rank_at, due_at + timedelta(minutes=self.late_gives_way_min))

    @property
    def affinity_duration(self) -> timedelta:
        """How long a specialist counts as an account's affinity."""
        return timedelta(days=self.knows_days)


_CHANNELS: Final = ("email", "phone", "chat")
_CLASSES: Final = ("guarantee", "objective")


def _due_at(step: Step, create_date: datetime, due_at: datetime) -> datetime:
    return due_at - (due_at - create_date) * step.left / 100


@lru_cache(maxsize=4096)
def _all_needs(
    rules: MatchingRules, channel: Channel, language: str, skills: tuple[str, ...]
) -> tuple[Need, ...]:
    level = rules.levels[channel]
    needs = [Need(language=language, level=level, skills=skills)]
    for step in rules.relax:
        if step.anybody:
            needs.append(Need(language=None, level=_LOWEST))
        elif step.english:
            needs.append(Need(language=ENGLISH, level=level, skills=skills))
        else:
            lower = max(_LOWEST, level - step.level_less)
            needs.append(Need(language=language, level=lower, skills=skills))
    return tuple(needs)


@lru_cache(maxsize=1)
def default_rules() -> MatchingRules:
    """Return the rules that come with the package."""
    text = (files("router.domain.matching") / "default_rules.yaml").read_text("utf-8")
    return MatchingRules.model_validate(yaml.safe_load(text))
