"""The languages of the roster, on a real PostgreSQL: a request is read among them."""

import asyncio
from typing import Any

from tests.integration.intake.conftest import Intake

from intake.store import tickets as ticket_store
from shared.testing.builders import a_specialist, removed


async def served(intake: Intake) -> frozenset[str]:
    """Read among which languages a request would be read."""
    async with intake.db.transaction() as tx:
        return (await ticket_store.current_terms(tx)).served


async def ask(intake: Intake, subject: str, external_id: str) -> Any:  # noqa: ANN401 - JSON
    """Post a request whose sender names no language."""
    return await intake.ask(language=None, subject=subject, external_id=external_id)


async def test_a_short_text_is_read_among_the_languages_of_the_roster(intake: Intake) -> None:
    """Three words that could be of many languages are Portuguese once a specialist speaks it."""
    before = await ask(intake, "Nosso servidor caiu", "A-1")
    await intake.take(a_specialist("eva", languages=("pt-BR", "de")))
    after = await ask(intake, "Nosso servidor caiu", "A-2")
    assert (before["language"]["by"], after["language"]["by"]) != ("detected", "detected")
    assert (after["language"]["language"], after["language"]["by"]) == ("pt", "detected")


async def test_the_languages_are_those_of_who_takes_premium_tickets_now(intake: Intake) -> None:
    """Not of who left, who is not certified, or what an older record says."""
    await intake.take(
        a_specialist("eva", languages=("pt",), after_min=2),
        a_specialist("ivo", languages=("it", "en")),
        a_specialist("uma", languages=("fi",), certified=False),
    )
    assert await served(intake) == {"pt", "it", "en"}
    await intake.take(
        a_specialist("eva", languages=("es",), after_min=1),
        removed("ivo", after_min=1),
        a_specialist("uma", languages=("fi",), after_min=1),
    )
    assert await served(intake) == {"pt", "fi"}


async def test_two_who_learn_of_the_roster_at_once_know_all_of_it(intake: Intake) -> None:
    """Whatever each of them reads: what both have told is served."""
    async with asyncio.TaskGroup() as both:
        both.create_task(intake.take(a_specialist("eva", languages=("pt",))))
        both.create_task(intake.take(a_specialist("ivo", languages=("it",))))
    assert await served(intake) == {"pt", "it"}
