"""The rules of matching, as data: what is needed, how that is relaxed, what counts how much."""

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
    """Tickets that anybody can take who can take one of them: the same is asked for each.

    ``step`` is how many steps of relaxation have come due.
    """

    channel: Channel
    language: str
    step: int
    skills: tuple[str, ...]

    @property
    def name(self) -> str:
        """How it is written down."""
        return dumps([self.channel, self.language, self.step, *self.skills], ensure_ascii=False)

    @staticmethod
    @lru_cache(maxsize=4096)
    def named(name: str) -> "Pool":
        """Read a name."""
        channel, language, step, *skills = loads(name)
        return Pool(channel, language, step, tuple(skills))


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Step(_Data):
    """What is enough once no more than ``left`` percent of a ticket's time are left."""

    left: Annotated[int, Field(ge=0, le=99)]
    level_less: Annotated[int, Field(ge=0, lt=HIGHEST)] = 0
    english: bool = False
    anybody: bool = False

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.level_less > 0) + self.english + self.anybody != 1:
            raise ValueError("a step says one of level_less, english, anybody; split it in two")
        return self


class SkillRule(_Data):
    """Tickets that are all of this need these skills."""

    needs: Annotated[tuple[str, ...], Field(min_length=1)]
    channel: Channel | None = None
    severity: Severity | None = None
    role: Role | None = None
    account_id: str | None = None


class MatchingRules(_Data):
    """See docs/matching.md. ``levels`` are from 1 to 5; ``class_weights`` stretch a budget."""

    levels: dict[Channel, _Level]
    skills: tuple[SkillRule, ...]
    relax: tuple[Step, ...]
    class_weights: dict[PromiseClass, Annotated[int, Field(ge=1, le=100)]]
    late_gives_way_min: Annotated[int, Field(ge=0, le=10_000)]
    knows_days: Annotated[int, Field(ge=0, le=3650)]
    weights: Weights

    @model_validator(mode="after")
    def _nothing_is_missing(self) -> Self:
        if len(self.levels) < len(_CHANNELS):
            raise ValueError(f"levels: say one for each of {', '.join(_CHANNELS)}")
        if len(self.class_weights) < len(_CLASSES):
            raise ValueError(f"class_weights: say one for each of {', '.join(_CLASSES)}")
        if any(after.left >= before.left for before, after in pairwise(self.relax)):
            raise ValueError("relax: each step comes later than the one before, with less left")
        return self

    @override
    def __hash__(self) -> int:
        return id(self)

    def needs(self, pool: Pool) -> tuple[Need, ...]:
        """List what is enough, from what was asked to what all steps allow that have come due."""
        return self.all_needs(pool.channel, pool.language, pool.skills)[: pool.step + 1]

    def all_needs(
        self, channel: Channel, language: str, skills: tuple[str, ...]
    ) -> tuple[Need, ...]:
        """List what would be enough, step by step to the last."""
        return _all_needs(self, channel, language, skills)

    def skills_for(
        self, *, channel: Channel, severity: Severity, role: Role, account_id: str
    ) -> tuple[str, ...]:
        """Find the skills that a ticket needs, in order."""
        told = {"channel": channel, "severity": severity, "role": role, "account_id": account_id}
        return tuple(
            sorted(
                {
                    skill
                    for rule in self.skills
                    if all(getattr(rule, name) in {None, value} for name, value in told.items())
                    for skill in rule.needs
                }
            )
        )

    def step(self, create_date: datetime, due_at: datetime, now: datetime) -> int:
        """Count the steps that have come due."""
        return sum(_comes_at(step, create_date, due_at) <= now for step in self.relax)

    def again_at(self, create_date: datetime, due_at: datetime, now: datetime) -> datetime | None:
        """Find when the next step comes due, or the ticket is late; None when all that has come."""
        comes = [*(_comes_at(step, create_date, due_at) for step in self.relax), due_at + _AT_ONCE]
        return min((at for at in comes if at > now), default=None)

    def rank_at(
        self, create_date: datetime, due_at: datetime, promise_class: PromiseClass, now: datetime
    ) -> datetime:
        """Place a ticket in the order of work: when it would be due, were its time so stretched.

        A late one gives way for some time to those whose promise can still be kept. Either way it
        is a fixed instant, and no ticket's comes before its create date: so whoever is created
        after a ticket's instant is behind it, and nobody starves.
        """
        rank_at = create_date + self.class_weights[promise_class] * (due_at - create_date)
        if now <= due_at:
            return rank_at
        return max(rank_at, due_at + timedelta(minutes=self.late_gives_way_min))

    @property
    def knows(self) -> timedelta:
        """How long a specialist knows an account."""
        return timedelta(days=self.knows_days)


_CHANNELS: Final = ("email", "phone", "chat")
_CLASSES: Final = ("guarantee", "objective")


def _comes_at(step: Step, create_date: datetime, due_at: datetime) -> datetime:
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
    """Read the rules that come with the package."""
    text = (files("router.domain.matching") / "default.yaml").read_text("utf-8")
    return MatchingRules.model_validate(yaml.safe_load(text))
