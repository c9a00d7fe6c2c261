"""Who may ask, as of the create date (DOMAIN, "Who may ask")."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from intake.domain import REMEDIES, Entitled, Version, entitlement
from shared.events import EVERYONE, Refusal, SupportRequest
from shared.testing.builders import NOON, an_account

HOUR = timedelta(hours=1)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def asked(**changes: object) -> SupportRequest:
    """Ask at noon, as ada."""
    plain: dict[str, Any] = {
        "source": "form",
        "external_id": "1",
        "account_id": "northwind",
        "requester_id": "ada",
        "channel": "email",
        "subject": "Login",
        "occurred_at": NOON,
    }
    return SupportRequest.model_validate({**plain, **changes})


def judged(request: SupportRequest, *versions: Version) -> Entitled | Refusal:
    """Judge by an account that was told of long ago, unless versions are given."""
    return entitlement(request, versions or (Version(LONG_AGO, an_account()),))


@pytest.mark.parametrize(("requester", "role"), [("ada", "super_admin"), ("bob", "seat")])
def test_the_account_says_who_somebody_is(requester: str, role: str) -> None:
    """Whatever the sender believes."""
    found = judged(asked(requester_id=requester, role="seat"))
    assert isinstance(found, Entitled)
    assert found.role == role


def test_a_user_without_a_paid_seat_may_not_ask() -> None:
    """Unless everybody of the account has one."""
    assert judged(asked(requester_id="eve")) == "no_seat"
    found = judged(asked(requester_id="eve"), Version(NOON, an_account(seats=EVERYONE)))
    assert isinstance(found, Entitled)
    assert found.role == "seat"


def test_the_mobile_app_is_no_place_to_ask() -> None:
    """Whatever the account bought."""
    assert judged(asked(asked_in="mobile_app")) == "mobile_app"


def test_nobody_knows_an_account_that_was_not_told_of() -> None:
    """It may be on its way; the remedy names the command that lists it."""
    assert entitlement(asked(), ()) == "unknown_account"
    assert "`premium accounts import`" in REMEDIES["unknown_account"]


@pytest.mark.parametrize(
    ("purchases", "found"),
    [
        ([], "not_bought"),
        ([{"since": NOON + HOUR}], "not_yet_valid"),
        ([{"since": LONG_AGO, "until": NOON}], "expired"),
        ([{"since": LONG_AGO, "until": NOON - HOUR}, {"since": NOON + HOUR}], "expired"),
    ],
)
def test_the_purchase_must_hold_at_the_create_date(
    purchases: list[dict[str, datetime]], found: Refusal
) -> None:
    """Its first instant counts, that of its end no more."""
    assert judged(asked(), Version(LONG_AGO, an_account(purchases=purchases))) == found


def test_the_first_instant_of_a_purchase_counts() -> None:
    """And the last before its end."""
    account = an_account(purchases=[{"since": NOON, "until": NOON + HOUR}])
    for at in (NOON, NOON + HOUR - timedelta(microseconds=1)):
        assert isinstance(judged(asked(occurred_at=at), Version(LONG_AGO, account)), Entitled)


def test_a_later_super_admin_changes_no_old_promise() -> None:
    """Who somebody is, is what was told by the create date."""
    before, after = an_account(), an_account(super_admins=["ada", "bob"])
    versions = (Version(LONG_AGO, before), Version(NOON + HOUR, after))
    old = judged(asked(requester_id="bob"), *versions)
    new = judged(asked(requester_id="bob", occurred_at=NOON + HOUR), *versions)
    assert isinstance(old, Entitled)
    assert isinstance(new, Entitled)
    assert (old.role, new.role) == ("seat", "super_admin")


def test_a_purchase_told_late_counts_for_what_was_asked_before() -> None:
    """Billing may be slow; the customer had bought."""
    nothing = an_account(purchases=[])
    versions = (Version(LONG_AGO, nothing), Version(NOON + HOUR, an_account()))
    assert isinstance(judged(asked(), *versions), Entitled)


def test_an_account_told_of_late_is_what_it_says() -> None:
    """Before its first version nothing else is known."""
    assert isinstance(judged(asked(), Version(NOON + HOUR, an_account())), Entitled)


def test_every_refusal_has_a_remedy() -> None:
    """Whoever is refused is told what would help."""
    assert all(REMEDIES.values())
    assert set(REMEDIES) == set(Refusal.__value__.__args__)
