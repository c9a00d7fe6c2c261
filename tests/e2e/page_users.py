"""Users of the inbox in a browser: they do what their page offers.

They react to what is shown, never to time: they wait for a row, press a button, and read the reply.
Their actions are counted from the replies alone.
"""

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from playwright.async_api import ConsoleMessage, Locator, Page, Request, Response
from playwright.async_api import TimeoutError as NotInTime

__all__ = ["Lead", "PageUser", "Specialist"]

LOOK_MS: Final = 1_000
"""How long to wait for a row before checking whether the day is over."""
PRESS_MS: Final = 5_000
"""A button that has disappeared by then is not pressed."""
ANSWER_MS: Final = 60_000
BAD: Final = 400
REFUSED: Final = 403
REPLY: Final = ".said:not([data-read]):not(#pane-old)"
READ: Final = "document.querySelectorAll('.said').forEach((said) => { said.dataset.read = '' })"
OFFERS: Final = "section:has(#offers) [data-row]:not(.gone)"
OWED: Final = "section:has(#mine) [data-row]:not(.gone):has(.due)"
"""The user's tickets, except joined chats, which the customer closes."""
MORE: Final = "#more:not([hidden])"
WAITS: Final = "#lists [data-row]:not(.gone)"
"""The lead's queue."""
DONE: Final = {
    "Accepted;": "accept",
    "Declined;": "decline",
    "Noted: the customer is answered;": "respond",
    "Noted": "dial",
    "Confirmed;": "confirm",
    "Reclassified": "reclassify",
    "Handed back;": "hand_back",
    "Moved;": "move",
    "Pinned;": "pin",
    "Unpinned;": "unpin",
    "You are away": "away",
    "You are online": "online",
}
"""The replies to successful actions; other replies say why an action was refused."""


@dataclass
class PageUser:
    """A user's page. ``over`` is set at the end of the day; with ``by_keys`` no mouse is used."""

    page: Page
    over: asyncio.Event
    by_keys: bool = False
    done: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    sent: int = 0

    async def sign_in(self, link: str) -> None:
        """Sign in by a personal link, and record all errors from then on."""
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._send)
        self.page.on("requestfailed", self._on_failure)
        self.page.on("response", self._on_response)
        await self.page.goto(link)
        await self.page.get_by_role("button", name="Sign in").click()
        await self.is_live()

    async def is_live(self) -> None:
        """Wait until the page receives the stream."""
        await self.page.wait_for_selector("body[data-live=live]", timeout=ANSWER_MS)

    async def wait_for(self, what: Locator) -> bool:
        """Wait until something is shown; return False if the day ended before."""
        while not self.over.is_set():
            try:
                await what.first.wait_for(timeout=LOOK_MS)
            except NotInTime:
                continue
            return True
        return False

    async def open(self, row: Locator) -> bool:
        """Open a ticket; return False if its row has disappeared meanwhile."""
        try:
            ticket = await row.locator("a").get_attribute("data-open", timeout=PRESS_MS)
            await self._press(self.page.locator(f'[data-open="{ticket}"]'))
            header = self.page.locator(f'#pane header[data-ticket="{ticket}"]')
            await header.wait_for(timeout=PRESS_MS)
        except NotInTime:
            return False
        return True

    async def press_and_read(self, button: Locator, choice: Locator | None = None) -> str | None:
        """Press a button, or open a menu and choose; return the page's reply.

        None if the button has disappeared meanwhile.
        """
        await self.page.evaluate(READ)
        before = self.sent
        try:
            await self._press(button, by_letter=True)
            if choice is not None:
                await self._press(choice)
        except NotInTime:
            if self.sent == before:
                return None
        reply = self.page.locator(REPLY).first
        await reply.wait_for(timeout=ANSWER_MS)
        text = await reply.inner_text()
        kind = next((kind for start, kind in DONE.items() if text.startswith(start)), None)
        if kind is None:
            self.refused.append(text)
        else:
            self.done[kind] += 1
        return text

    async def choose(self, menu: str, reason: str) -> str | None:
        """Execute an action with a reason on the opened ticket."""
        pane = self.page.locator("#pane")
        summary = pane.locator("summary", has_text=menu).first
        return await self.press_and_read(summary, pane.get_by_role("button", name=reason).first)

    async def press(self, label: str) -> str | None:
        """Execute an action on the opened ticket."""
        return await self.press_and_read(
            self.page.locator("#pane").get_by_role("button", name=label)
        )

    async def _press(self, what: Locator, *, by_letter: bool = False) -> None:
        if not self.by_keys:
            await what.click(timeout=PRESS_MS)
            return
        letter = await what.get_attribute("data-key", timeout=PRESS_MS) if by_letter else None
        if letter:
            await self.page.keyboard.press(letter)
        else:
            await what.press("Enter", timeout=PRESS_MS)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and str(REFUSED) not in message.text:
            self.complaints.append(message.text)

    def _send(self, request: Request) -> None:
        """Count requests: on a slow machine a press that timed out may still have been sent."""
        self.sent += request.method == "POST"

    def _on_failure(self, request: Request) -> None:
        """Record a failed request; a stream that ends with its page is none."""
        if "/inbox/stream" not in request.url:
            self.complaints.append(f"{request.method} {request.url}: {request.failure}")

    def _on_response(self, response: Response) -> None:
        """Record a bad status, except 403, which a late action must get."""
        if response.status >= BAD and response.status != REFUSED:
            self.complaints.append(f"{response.status} {response.url}")


@dataclass
class Specialist(PageUser):
    """A specialist who works through the day."""

    name: str = ""
    tickets: int = 0
    occasions: Counter[str] = field(default_factory=Counter)
    dialled: set[str] = field(default_factory=set)

    async def work(self) -> None:
        """Answer offers and tickets, one after another, until the day is over."""
        work = self.page.locator(f"{MORE}, {OFFERS}, {OWED}")
        while await self.wait_for(work):
            await self._show_more()
            self.tickets += 1
            offers = self.page.locator(OFFERS)
            if await offers.count():
                await self._answer_offer(offers.first)
            elif await self.page.locator(OWED).count() and await self._open_first():
                await self._work_on_opened()
            if self.tickets % 10 == 0:
                await self._take_break()

    async def _open_first(self) -> bool:
        """Open the ticket that is due first; return False if it has disappeared meanwhile."""
        return await self.open(self.page.locator(OWED).first)

    async def _show_more(self) -> None:
        """Show the rows that were held back while the list was in use."""
        more = self.page.locator(MORE)
        if await more.count():
            with suppress(NotInTime):
                await self._press(more, by_letter=True)

    def _is_turn(self, occasion: str, every: int) -> bool:
        """Return True on every ``every``-th occasion."""
        self.occasions[occasion] += 1
        return self.occasions[occasion] % every == 0

    async def _answer_offer(self, offer: Locator) -> None:
        if self._is_turn("offer", 5):
            menu = offer.locator("summary", has_text="Decline")
            await self.press_and_read(menu, offer.get_by_role("button", name="No room now"))
        else:
            await self.press_and_read(offer.get_by_role("button", name="Accept"))

    async def _work_on_opened(self) -> None:
        pane = self.page.locator("#pane")
        if await pane.locator("summary", has_text="Log a call").count():
            await self._call()
            return
        if await pane.get_by_role("button", name="Confirm business-critical").count():
            found = ("Confirm business-critical", "Reclassify to standard")
            await self.press(found[self._is_turn("claim", 2)])
        elif self._is_turn("mail", 4):
            await self.choose("Hand back", "Other work first")
            return
        if await pane.get_by_role("button", name="Responded").count():
            await self.press("Responded")

    async def _call(self) -> None:
        """Log a call; every other customer does not answer at first."""
        ticket = await self.page.locator("#pane header").get_attribute("data-ticket") or ""
        again = ticket in self.dialled
        self.dialled.add(ticket)
        absent = not again and self._is_turn("call", 2)
        await self.choose("Log a call", "No answer" if absent else "Answered")

    async def _take_break(self) -> None:
        status = self.page.locator("#status")
        await self.press_and_read(status.get_by_role("button", name="Go away"))
        await status.get_by_text("◐ away").wait_for(timeout=ANSWER_MS)
        await self.press_and_read(status.get_by_role("button", name="Come back"))
        await status.get_by_text("● online").wait_for(timeout=ANSWER_MS)


@dataclass
class Lead(PageUser):
    """A lead who supervises the queue and the specialists."""

    address: str = ""
    people: tuple[str, ...] = ()

    async def supervise(self) -> None:
        """Hand back, move and pin tickets, in turn, until the day is over."""
        while not self.over.is_set():
            for name, to in zip(self.people, reversed(self.people), strict=True):
                await self._go_to(f"/inbox?of={name}")
                if await self._opens(OWED):
                    await self.choose("Hand back", "Other work first")
                if await self._opens(OWED):
                    await self._give(to, "Move")
                await self.look()
                if await self._opens(WAITS):
                    await self._pin()

    async def look(self) -> None:
        """Open the lead's page."""
        await self._go_to("/inbox/lead")

    async def _pin(self) -> None:
        await self._give(None, "Pin")
        if await self.page.locator("#pane").get_by_role("button", name="Unpin").count():
            await self.press("Unpin")

    async def _give(self, to: str | None, label: str) -> None:
        """Move or pin the opened ticket, if possible; by default to the page's first specialist."""
        pane = self.page.locator("#pane")
        try:
            await pane.locator("summary", has_text="Move or pin").click(timeout=PRESS_MS)
            if to is not None:
                await pane.locator("select[name=to]").select_option(to, timeout=PRESS_MS)
        except NotInTime:
            return
        await self.press_and_read(pane.get_by_role("button", name=label, exact=True))

    async def _go_to(self, path: str) -> None:
        await self.page.goto(f"{self.address}{path}")
        await self.is_live()

    async def _opens(self, which: str) -> bool:
        """Open the ticket that is due last, because a specialist may be answering the first."""
        rows = self.page.locator(which)
        return await self.wait_for(rows) and await self.open(rows.last)
