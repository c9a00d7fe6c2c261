"""On a whole stack, an action in the inbox is a fact for all services."""

import re
from typing import Final
from uuid import UUID

import httpx
from tests.e2e.conftest import Watch
from tests.e2e.test_one_ticket import now, request

from devstack.stack import Stack
from premium.inbox import inbox_link
from shared.events import AssignmentResponded, ClockMet, TicketAssigned

SUBJECT: Final = "Anmeldung"


async def test_an_answer_in_the_inbox_meets_the_promise(
    stack: Stack, http: httpx.AsyncClient, watch: Watch
) -> None:
    """A personal link signs in, the details come from intake, and the answer meets the clock."""
    form = request(await now(stack), subject=SUBJECT)
    answer = await http.post(f"{stack.addresses.http('intake')}/v1/tickets", json=form)
    ticket_id = UUID(answer.json()["ticket_id"])
    facts = await watch.until(ticket_id, TicketAssigned)
    [name] = [f.event.specialist_id for f in facts if isinstance(f.event, TicketAssigned)]
    link = await inbox_link(stack.profile, name)
    base = stack.addresses.http("router")
    async with httpx.AsyncClient(base_url=base, follow_redirects=True, timeout=60) as browser:
        page = await browser.post(link)
        assert str(ticket_id) in page.text
        assert SUBJECT not in page.text
        details = await browser.get(f"/inbox/tickets/{ticket_id}/details")
        assert SUBJECT in details.text
        [token] = re.findall(r'"x-csrf-token": "([0-9a-f]{64})"', page.text)
        pane = await browser.get(f"/inbox/tickets/{ticket_id}")
        turn = re.findall(r'name="turn" value="(\d+)"', pane.text)[0]
        done = await browser.post(
            f"/inbox/tickets/{ticket_id}/responded",
            data={"turn": turn},
            headers={"x-csrf-token": token},
        )
        assert "the customer is answered" in done.text
    await watch.until(ticket_id, AssignmentResponded, ClockMet)
