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
    """Make a request of ada at noon, with changes."""
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


def decided(request: SupportRequest, *versions: Version) -> Entitled | Refusal:
    """Decide by these versions of the account, or by one that was listed long ago."""
    return entitlement(request, versions or (Version(LONG_AGO, an_account()),))


@pytest.mark.parametrize(("requester", "role"), [("ada", "super_admin"), ("bob", "seat")])
def test_the_account_determines_the_role(requester: str, role: str) -> None:
    """The role in the request is ignored."""
    found = decided(asked(requester_id=requester, role="seat"))
    assert isinstance(found, Entitled)
    assert found.role == role


def test_a_user_without_a_paid_seat_may_not_ask() -> None:
    """Unless the account has a seat for everyone."""
    assert decided(asked(requester_id="eve")) == "no_seat"
    found = decided(asked(requester_id="eve"), Version(NOON, an_account(seats=EVERYONE)))
    assert isinstance(found, Entitled)
    assert found.role == "seat"


def test_a_request_from_the_mobile_app_is_refused() -> None:
    """Even if the account is entitled."""
    assert decided(asked(asked_in="mobile_app")) == "mobile_app"


def test_an_account_without_a_version_is_unknown() -> None:
    """The remedy names the command that adds the account."""
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
    """The time of its end is not included."""
    assert decided(asked(), Version(LONG_AGO, an_account(purchases=purchases))) == found


def test_the_first_instant_of_a_purchase_counts() -> None:
    """So does the last instant before its end."""
    account = an_account(purchases=[{"since": NOON, "until": NOON + HOUR}])
    for at in (NOON, NOON + HOUR - timedelta(microseconds=1)):
        assert isinstance(decided(asked(occurred_at=at), Version(LONG_AGO, account)), Entitled)


def test_a_later_super_admin_changes_no_old_promise() -> None:
    """The role is that of the version in force at the create date."""
    before, after = an_account(), an_account(super_admins=["ada", "bob"])
    versions = (Version(LONG_AGO, before), Version(NOON + HOUR, after))
    old = decided(asked(requester_id="bob"), *versions)
    new = decided(asked(requester_id="bob", occurred_at=NOON + HOUR), *versions)
    assert isinstance(old, Entitled)
    assert isinstance(new, Entitled)
    assert (old.role, new.role) == ("seat", "super_admin")


def test_a_purchase_reported_late_counts_for_earlier_requests() -> None:
    """The latest version decides on purchases, because billing may report them late."""
    nothing = an_account(purchases=[])
    versions = (Version(LONG_AGO, nothing), Version(NOON + HOUR, an_account()))
    assert isinstance(decided(asked(), *versions), Entitled)


def test_the_first_version_counts_for_earlier_requests() -> None:
    """Before an account's first version nothing else is known of it."""
    assert isinstance(decided(asked(), Version(NOON + HOUR, an_account())), Entitled)


def test_every_refusal_has_a_remedy() -> None:
    """Every reason for a refusal comes with a text about what to do."""
    assert all(REMEDIES.values())
    assert set(REMEDIES) == set(Refusal.__value__.__args__)
