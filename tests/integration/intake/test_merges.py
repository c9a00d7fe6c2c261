"""Merges on a real PostgreSQL: the ticket that stays is told since when its customer waits."""

import asyncio
from typing import Any, Final

from tests.integration.intake.conftest import KEYS, REQUEST, Intake

from intake import desk
from intake.desk import Document
from shared.events import INBOUND, ticket_id_of
from shared.testing.databases import waits_for_a_lock

EARLIER: Final = {**REQUEST, "occurred_at": "2026-03-02T11:40:00Z"}
MERGED: Final[dict[str, Any]] = {
    "source": "app-form",
    "external_id": "A-1",
    "type": "merged",
    "into": "A-2",
    "occurred_at": "2026-03-02T12:10:00Z",
}


async def take(intake: Intake, *contents: dict[str, Any]) -> list[dict[str, Any]]:
    """Take documents in one batch; what is said of merges by then comes back."""
    await intake.take_documents(*contents)
    return [fact for fact in await intake.said("tickets.v1") if "absorbed" in fact]


TOLD: Final = [
    {
        "ticket_id": str(ticket_id_of("app-form", "A-2")),
        "absorbed": str(ticket_id_of("app-form", "A-1")),
        "create_date": "2026-03-02T11:40:00Z",
    }
]


async def test_a_merge_tells_the_ticket_that_stays(intake: Intake) -> None:
    """With the duplicate's create date."""
    assert await take(intake, EARLIER) == []
    assert await take(intake, MERGED) == TOLD


async def test_a_merge_that_overtakes_its_request_waits_for_it(intake: Intake) -> None:
    """It is told when the request has come, and in one batch with it, too."""
    assert await take(intake, MERGED) == []
    assert await take(intake, EARLIER) == TOLD


async def test_a_merge_in_the_batch_of_its_request_is_told_once(intake: Intake) -> None:
    """Whichever stands first."""
    assert await take(intake, MERGED, EARLIER) == TOLD


async def test_a_merge_waits_for_a_request_that_is_being_taken(intake: Intake) -> None:
    """Neither could see the other before both are committed; then the merge would be lost."""
    document = Document(INBOUND.validate_python(EARLIER), None)
    async with asyncio.TaskGroup() as group, intake.db.transaction() as tx:
        await desk.receive(tx, [document], KEYS)
        merging = group.create_task(take(intake, MERGED))
        assert await waits_for_a_lock(intake.db)
    assert merging.result() == TOLD
