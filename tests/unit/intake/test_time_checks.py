"""How far a sender's clock may be ahead of ours."""

from datetime import timedelta

import pytest

from intake.domain.time_checks import fault_of_date
from shared.events import SupportRequest
from shared.testing.builders import NOON

QUARTER = timedelta(minutes=15)
MILLISECOND = timedelta(milliseconds=1)


def request(ahead: timedelta) -> SupportRequest:
    """Make a request that its sender dates so long after noon."""
    return SupportRequest(
        source="test",
        external_id="T1",
        account_id="northwind",
        requester_id="ada",
        channel="email",
        subject="a question",
        occurred_at=NOON + ahead,
    )


@pytest.mark.parametrize("ahead", [-timedelta(days=3650), timedelta(0), QUARTER])
def test_a_date_is_accepted_up_to_a_quarter_of_an_hour_ahead(ahead: timedelta) -> None:
    """The past may be reported at any time, and the limit itself is allowed."""
    assert fault_of_date(request(ahead), NOON) is None


@pytest.mark.parametrize(
    ("ahead", "seconds"), [(QUARTER + MILLISECOND, "900.001"), (timedelta(hours=1), "3600.000")]
)
def test_a_date_further_ahead_is_refused_with_both_figures(ahead: timedelta, seconds: str) -> None:
    """The sender reads by how much the clock is wrong, and how much is allowed."""
    fault = fault_of_date(request(ahead), NOON)
    assert fault is not None
    assert f"{seconds} s in the future, at most 900 s" in fault
    assert "at most 900 " in fault
