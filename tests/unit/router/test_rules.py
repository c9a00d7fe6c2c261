"""Matching rules as a file: what is allowed, and the error for a fault."""

from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from router.domain.matching import MatchingRules, Pool, default_rules
from router.settings import Settings
from shared.platform.settings import load
from shared.sla.promises import PromiseClass
from shared.testing.builders import NOON, minutes

DUE: Final = NOON + minutes(60)
ENVIRONMENT: Final = {
    "ROUTER_DSN": "postgresql://x",
    "ROUTER_KAFKA_BOOTSTRAP": "x:1",
    "ROUTER_HTTP_PORT": "0",
}
FAULTS: Final[tuple[tuple[dict[str, Any], str], ...]] = (
    ({"levels": {"email": 3}}, "levels: give one for each of email, phone, chat"),
    ({"class_weights": {"guarantee": 1}}, "give one for each of guarantee, objective"),
    (
        {"relax": [{"left": 50, "english": True}, {"left": 60, "anybody": True}]},
        "each step comes later than the one before",
    ),
    ({"relax": [{"left": 50}]}, "a step has one of level_less, english, anybody"),
    ({"skills": [{"severity": "standard", "needs": []}]}, "skills.0.needs"),
    ({"wieghts": {}}, "wieghts"),
)


@pytest.mark.parametrize(("change", "error"), FAULTS)
def test_a_fault_is_named(change: dict[str, Any], error: str) -> None:
    """The error has the field and the remedy."""
    plain = default_rules().model_dump()
    with pytest.raises(ValidationError) as refused:
        MatchingRules.model_validate({**plain, **change})
    assert error in str(refused.value)


def test_a_rules_file_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Router does not start with one that cannot be read."""
    file = tmp_path / "rules.yaml"
    plain = default_rules().model_dump(mode="json")
    file.write_text(yaml.safe_dump({**plain, "knows_days": 3, "relax": []}))
    for name, value in {**ENVIRONMENT, "ROUTER_RULES": str(file)}.items():
        monkeypatch.setenv(name, value)
    assert load(Settings).rules.knows_days == 3
    file.unlink()
    with pytest.raises(SystemExit):
        load(Settings)
    (line,) = capsys.readouterr().err.splitlines()
    assert "ROUTER_RULES" in line
    assert "cannot be read" in line


@given(
    st.integers(0, 10_000),
    st.integers(1, 10_000),
    st.integers(0, 30_000),
    st.sampled_from(["guarantee", "objective"]),
)
def test_no_place_is_before_the_create_date_or_moves_forward(
    created_min: int, budget_min: int, now_min: int, promise_class: PromiseClass
) -> None:
    """At any time, so that no ticket overtakes an earlier one."""
    created = NOON + minutes(created_min)
    due = created + minutes(budget_min)
    rules = default_rules()
    place = rules.rank_at(created, due, promise_class, NOON + minutes(now_min))
    later = rules.rank_at(created, due, promise_class, NOON + minutes(now_min + 1))
    assert created < place <= later <= due + max(minutes(60), due - created)


@given(st.integers(0, 70))
def test_a_ticket_has_a_time_for_its_next_attempt(now_min: int) -> None:
    """At the next step or when it is late; always in the future, so that it ends."""
    rules, now = default_rules(), NOON + minutes(now_min)
    again_at = rules.again_at(NOON, DUE, now)
    if again_at is None:
        assert now > DUE
    else:
        assert again_at > now
        just_before = again_at - timedelta(microseconds=1)
        assert rules.step(NOON, DUE, just_before) == rules.step(NOON, DUE, now)
        assert rules.step(NOON, DUE, again_at) > rules.step(NOON, DUE, now) or again_at > DUE


def test_a_pool_is_parsed_from_its_name() -> None:
    """As it is stored in the database."""
    pool = Pool("email", "de", 2, ("a b", "crm"))
    assert Pool.named(pool.name) == pool
    assert Pool("email", "de", 0, ()).name == '["email", "de", 0]'
