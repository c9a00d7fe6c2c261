"""Policies: the built-in one is DOMAIN's table; versions, exceptions, and promises on the wire."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.sla.calendars import CalendarSpec
from shared.sla.policies import Policy, Pricing, RequestTraits, default_policy
from shared.sla.policies.files import load_policy
from shared.sla.promises import Channel, Promise, PromiseClass, Role, Severity, warn_at

MONDAY_NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

MINIMAL: dict[str, Any] = {
    "policy_id": "small",
    "rules": [
        {
            "name": "all",
            "promises": [
                {
                    "kind": "first_response",
                    "class": "guarantee",
                    "target": "1 h",
                    "calendar": "always",
                }
            ],
            "source": "contract",
        }
    ],
}


def asked(**changes: Any) -> RequestTraits:  # noqa: ANN401 - each field has its own type
    """Ask as a super admin by email, in English."""
    good = {"role": "super_admin", "channel": "email", "severity": "standard", "language": "en"}
    return RequestTraits(**{**good, "time_zone": "UTC", **changes})


def price(policy: Policy, create_date: datetime = MONDAY_NOON, **changes: object) -> Pricing:
    """Price a request made on Monday at noon."""
    return policy.price(asked(**changes), create_date)


def with_rules(*rules: dict[str, Any], **more: object) -> Policy:
    """Put rules before the one for all."""
    return Policy.model_validate({**MINIMAL, "rules": [*rules, *MINIMAL["rules"]], **more})


def refusing(match: dict[str, object]) -> dict[str, Any]:
    """Make a rule of that match which promises nothing."""
    return {"name": "special", "match": match, "no_promise": "not sold", "source": "contract"}


@pytest.mark.parametrize(
    ("role", "channel", "severity", "kind", "promise_class", "target_min", "calendar"),
    [
        ("super_admin", "email", "standard", "first_response", "guarantee", 60, "always"),
        ("super_admin", "email", "business_critical", "first_response", "guarantee", 30, "always"),
        ("seat", "email", "standard", "first_response", "objective", 480, "business_week"),
        ("seat", "email", "business_critical", "first_response", "objective", 480, "business_week"),
        ("super_admin", "phone", "standard", "callback", "objective", 5, "always"),
        ("seat", "phone", "standard", "callback", "objective", 5, "always"),
        ("super_admin", "chat", "standard", "join", "objective", 1, "always"),
        ("seat", "chat", "standard", "join", "objective", 1, "always"),
    ],
)
def test_the_built_in_policy_is_the_table_of_the_domain(
    role: Role,
    channel: Channel,
    severity: Severity,
    kind: str,
    promise_class: PromiseClass,
    target_min: int,
    calendar: str,
) -> None:
    """Who asks, how and how bad it is decide what is promised."""
    pricing = price(default_policy(), role=role, channel=channel, severity=severity)
    (promise,) = pricing.promises
    assert (promise.kind, promise.promise_class) == (kind, promise_class)
    assert (promise.target, promise.calendar) == (target_min * MINUTE, calendar)
    assert promise.rule == pricing.rule


def test_every_built_in_rule_says_whence_it_is() -> None:
    """A house default is marked as one; the rest names the vendor's guide."""
    assert all("guide" in r.source or "[H]" in r.source for r in default_policy().rules)


def test_a_business_day_ends_on_the_account_s_wall_clock() -> None:
    """DOMAIN: a request at 16:00 on Friday is due at 16:00 on Monday."""
    friday = datetime(2026, 3, 6, 15, tzinfo=UTC)
    (promise,) = price(default_policy(), friday, role="seat", time_zone="Europe/Berlin").promises
    assert promise.due_at == friday + timedelta(days=3)


@pytest.mark.parametrize(
    ("match", "changes", "fits"),
    [
        ({"language": "de"}, {"language": "de-AT"}, True),
        ({"language": "de"}, {"language": "en"}, False),
        ({"region": "DE"}, {"region": "DE-BY"}, True),
        ({"region": "DE-BY"}, {"region": "DE"}, False),
        ({"region": "DE"}, {}, False),
        ({"tier": ["gold", "silver"]}, {"tier": "silver"}, True),
        ({"tier": "gold"}, {}, False),
        ({"role": "seat", "channel": "email"}, {"role": "seat"}, True),
        ({"role": "seat", "channel": "phone"}, {"role": "seat"}, False),
    ],
)
def test_the_first_rule_that_matches_counts(
    match: dict[str, object], changes: dict[str, object], *, fits: bool
) -> None:
    """Each attribute is one of those named; a language is its base, a region holds its parts."""
    pricing = with_rules(refusing(match)).price(asked(**changes), MONDAY_NOON)
    assert (pricing.rule == "special") is fits


def test_no_promise_gives_its_reason() -> None:
    """A request may be priced at nothing, and says why."""
    pricing = price(with_rules(refusing({"tier": "trial"})), tier="trial")
    assert (pricing.promises, pricing.no_promise) == ((), "not sold")


def test_the_clock_of_a_next_response_has_no_due_time_yet() -> None:
    """It starts with the customer's reply, not with the create date."""
    terms = MINIMAL["rules"][0]["promises"][0]
    rule = {**MINIMAL["rules"][0], "promises": [terms, {**terms, "kind": "next_response"}]}
    first, following = price(Policy.model_validate({**MINIMAL, "rules": [rule]})).promises
    assert (first.due_at, following.due_at) == (MONDAY_NOON + 60 * MINUTE, None)


@pytest.mark.parametrize(
    ("create_date", "promise_class", "exception"),
    [
        (MONDAY_NOON - MINUTE, "guarantee", None),
        (MONDAY_NOON, "objective", "move"),
        (MONDAY_NOON + 59 * MINUTE, "objective", "move"),
        (MONDAY_NOON + 60 * MINUTE, "guarantee", None),
    ],
)
def test_an_exception_makes_objectives_of_guarantees(
    create_date: datetime, promise_class: PromiseClass, exception: str | None
) -> None:
    """For tickets created inside it, its end left out; the promise says which exception it was."""
    window = {
        "name": "move",
        "reason": "the data centre moves",
        "starts_at": MONDAY_NOON,
        "ends_at": MONDAY_NOON + 60 * MINUTE,
    }
    (promise,) = price(with_rules(exceptions=[window]), create_date).promises
    assert (promise.promise_class, promise.exception) == (promise_class, exception)


def test_an_exception_leaves_others_and_objectives_alone() -> None:
    """It is for those it matches, and what was an objective anyway owes it nothing."""
    window = {
        "name": "strike",
        "reason": "a strike in France",
        "starts_at": MONDAY_NOON,
        "ends_at": MONDAY_NOON + MINUTE,
        "match": {"region": "FR"},
    }
    policy = with_rules(exceptions=[window])
    elsewhere, there = price(policy, region="DE"), price(policy, region="FR-IDF")
    assert [p.promises[0].exception for p in (elsewhere, there)] == [None, "strike"]
    built_in = {**default_policy().document, "exceptions": [window]}
    phoned = price(Policy.model_validate(built_in), channel="phone", region="FR")
    assert phoned.promises[0].exception is None


COMMENTED = """
# Order of keys and comments are for people.
rules:
  - source: contract  # the one of 2026
    promises: [{calendar: always, target: 1 h, class: guarantee, kind: first_response}]
    name: all
policy_id: small
"""


def test_the_version_is_of_the_content(tmp_path: Path) -> None:
    """Neither order of keys, nor comments, nor defaults written out give another version."""
    file = tmp_path / "small.yaml"
    file.write_text(COMMENTED)
    plain = Policy.model_validate(MINIMAL)
    explicit = COMMENTED.replace("kind:", "warnings: [50%, 80%], kind:")
    assert load_policy(file).version == plain.version
    assert Policy.model_validate(plain.document).version == plain.version
    file.write_text(explicit)
    assert load_policy(file).version == plain.version
    file.write_text(COMMENTED.replace("1 h", "2 h"))
    assert load_policy(file).version != plain.version


promises = st.builds(
    Promise,
    kind=st.sampled_from(["first_response", "next_response", "resolution"]),
    promise_class=st.sampled_from(["guarantee", "objective"]),
    target_s=st.integers(1, 10**6),
    calendar=st.just("long_day"),
    calendar_spec=st.just(CalendarSpec(zone="account", hours={"mon-fri": ("08:00-18:00",)})),
    calendar_version=st.text("0123456789abcdef", min_size=12, max_size=12),
    time_zone=st.just("Europe/Berlin"),
    region=st.sampled_from([None, "DE", "DE-BY"]),
    due_at=st.none() | st.datetimes(timezones=st.just(UTC)),
    rule=st.text(),
    warnings=st.sampled_from([(), ("50%", "80%"), ("15 min left",)]),
    pause_on=st.sampled_from([(), ("customer",), ("customer", "vendor", "other")]),
    exception=st.none() | st.text(),
)


@given(promises)
def test_a_promise_comes_off_the_wire_as_it_was(promise: Promise) -> None:
    """With all it carries, its calendar included."""
    assert Promise.model_validate_json(promise.model_dump_json()) == promise


def test_a_promise_counts_by_the_calendar_it_carries() -> None:
    """Whoever reads it needs no policy to time it."""
    policy = with_rules(
        {
            **MINIMAL["rules"][0],
            "name": "long",
            "match": {"role": "seat"},
            "promises": [
                {
                    "kind": "resolution",
                    "class": "objective",
                    "target": "9 h",
                    "calendar": "long_day",
                }
            ],
        },
        calendars={"long_day": {"hours": {"mon-fri": ["09:00-17:00"]}}},
    )
    (promise,) = price(policy, role="seat").promises
    read = Promise.model_validate_json(promise.model_dump_json())
    assert read.bound_calendar().add_business(MONDAY_NOON, read.target) == promise.due_at


def test_a_promise_of_an_unknown_calendar_is_refused() -> None:
    """Only the built-in calendars may be named without their content."""
    with pytest.raises(ValueError, match="calendar_spec is missing"):
        price(default_policy()).promises[0].model_validate(
            {**price(default_policy()).promises[0].model_dump(), "calendar": "other"}
        )


@pytest.mark.parametrize(
    ("point", "used_min"), [("50%", 30), ("80%", 48), ("15 min left", 45), ("90s left", 58.5)]
)
def test_a_warning_point_is_an_amount_used_up(point: str, used_min: float) -> None:
    """A share of the target, or what is left of it."""
    assert warn_at(point, 60 * MINUTE) == used_min * MINUTE


@pytest.mark.parametrize("point", ["0%", "100%", "1 h left", "0 min left", "-5 min left", "soon"])
def test_a_warning_past_the_target_is_none(point: str) -> None:
    """Nobody is warned of what has happened, or has not begun."""
    with pytest.raises(ValueError, match=r"past the target|no warning point"):
        warn_at(point, 60 * MINUTE)
