"""The languages of the roster, on a real PostgreSQL: language detection expects them."""

import asyncio
from typing import Any

from tests.integration.intake.conftest import Intake

from intake.store import tickets as ticket_store
from shared.testing.builders import a_specialist, removed


async def served(intake: Intake) -> frozenset[str]:
    """Read the languages that detection expects."""
    async with intake.db.transaction() as tx:
        return (await ticket_store.current_terms(tx)).served


async def ask(intake: Intake, subject: str, external_id: str) -> Any:  # noqa: ANN401 - JSON
    """Post a request whose sender names no language."""
    return await intake.post_request(language=None, subject=subject, external_id=external_id)


async def test_a_short_text_is_detected_among_the_languages_of_the_roster(intake: Intake) -> None:
    """Three words of Portuguese are detected once a specialist speaks it."""
    before = await ask(intake, "Nosso servidor caiu", "A-1")
    await intake.consume(a_specialist("eva", languages=("pt-BR", "de")))
    after = await ask(intake, "Nosso servidor caiu", "A-2")
    assert (before["language"]["by"], after["language"]["by"]) != ("detected", "detected")
    assert (after["language"]["language"], after["language"]["by"]) == ("pt", "detected")


async def test_the_languages_are_those_of_certified_specialists(intake: Intake) -> None:
    """Not of removed or uncertified specialists; an older record changes nothing."""
    await intake.consume(
        a_specialist("eva", languages=("pt",), after_min=2),
        a_specialist("ivo", languages=("it", "en")),
        a_specialist("uma", languages=("fi",), certified=False),
    )
    assert await served(intake) == {"pt", "it", "en"}
    await intake.consume(
        a_specialist("eva", languages=("es",), after_min=1),
        removed("ivo", after_min=1),
        a_specialist("uma", languages=("fi",), after_min=1),
    )
    assert await served(intake) == {"pt", "fi"}


async def test_concurrent_roster_changes_are_combined(intake: Intake) -> None:
    """Two instances that save specialists at the same time keep the languages of both."""
    async with asyncio.TaskGroup() as both:
        both.create_task(intake.consume(a_specialist("eva", languages=("pt",))))
        both.create_task(intake.consume(a_specialist("ivo", languages=("it",))))
    assert await served(intake) == {"pt", "it"}
