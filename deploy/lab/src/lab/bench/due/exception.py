"""An exception over many guarantees: how soon each is judged again, and who waits meanwhile."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import uuid4

from lab.bench.due import seeding
from lab.bench.due.plan import Plan
from lab.bench.due.sheet import Sheet, outcomes, single
from lab.bench.due.subjects import Ours
from lab.bench.due.trial import heard, outcome, sown, steady
from lab.bench.measures import pause
from premium.policy.publication import record_of
from shared.basics.clock import elapsed_s
from shared.events import TicketAccepted
from shared.platform.publisher import Publisher
from shared.sla.policies import Policy, RequestTraits, default_policy

__all__ = ["excepted"]

_AGE: Final = timedelta(minutes=50)
"""So old are the tickets: warned about, and not due while this is measured."""
_LOOK_S: Final = 0.05


async def excepted(ours: Ours, plan: Plan, say: Callable[[str], None]) -> Sheet:
    """Declare an exception that covers ``plan.open`` open guarantees, while others fall due."""
    title = f"An exception over {plan.open:,} open guarantees, {plan.rate_hz:g} others due a second"
    say(f"{plan.open:,} guarantees are opened")
    created_at = await ours.now() - _AGE
    await seeding.seed_accepted(
        ours.connection, uuid4().hex, plan.open, _accepted(created_at), created_at
    )
    await seeding.settle(ours.connection)
    say(title)
    async with sown(ours, partial(steady, rate_hz=plan.rate_hz, count=plan.count)) as waiting:
        await pause((waiting.batch.first - await ours.now()).total_seconds())
        since_s = elapsed_s()
        await _declare(ours, created_at)
        while await seeding.covered(ours.connection) == 0:
            await pause(_LOOK_S)
        first_s = elapsed_s(since_s)
        while await seeding.is_unfinished(ours.connection):
            await pause(_LOOK_S)
        judged_s = elapsed_s(since_s)
        meanwhile = outcome(await heard(ours, waiting))
    return Sheet(
        title=title,
        rows=(
            single("until the first is judged again", "s", first_s),
            single("until all are judged again", "s", judged_s),
            single("judged as covered", "clocks", await seeding.covered(ours.connection)),
            *outcomes({ours.name: [meanwhile]}),
        ),
    )


async def _declare(ours: Ours, create_date: datetime) -> None:
    """Publish the built-in policy with an exception around a create date."""
    window = {
        "name": "bench",
        "reason": "Measures an exception.",
        "starts_at": create_date - _AGE,
        "ends_at": create_date + timedelta(minutes=1),
    }
    policy = Policy.model_validate({**default_policy().document, "exceptions": [window]})
    publisher = Publisher(ours.bootstrap, service="bench")
    try:
        await publisher.publish([record_of(policy, await ours.now())])
    finally:
        await publisher.stop()


def _accepted(create_date: datetime) -> TicketAccepted:
    asked = RequestTraits("super_admin", "email", "standard", language="en", time_zone="UTC")
    policy = default_policy()
    return TicketAccepted(
        ticket_id=uuid4(),
        source="bench",
        external_id="bench",
        account_id="northwind",
        requester_id="",
        role=asked.role,
        channel=asked.channel,
        severity=asked.severity,
        claimed_severity=asked.severity,
        language=asked.language,
        time_zone=asked.time_zone,
        policy=policy.version,
        promises=policy.price(asked, create_date).promises,
    )
