"""People at the inbox in a browser: they look at their page, and do what it lets them do.

They are led by what is shown, never by time: they wait for a row, press a button, and read what is
said there. What they did is known from those answers alone.
"""

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from playwright.async_api import ConsoleMessage, Locator, Page, Request, Response
from playwright.async_api import TimeoutError as NotInTime

__all__ = ["Lead", "Seat", "Specialist"]

GLANCE_MS: Final = 1_000
"""So long somebody looks for a row before they ask themselves whether the day is over."""
HAND_MS: Final = 5_000
"""What has gone from under the hand by then is not pressed."""
ANSWER_MS: Final = 60_000
BAD: Final = 400
REFUSED: Final = 403
SAID: Final = ".said:not([data-read]):not(#pane-old)"
READ: Final = "document.querySelectorAll('.said').forEach((said) => { said.dataset.read = '' })"
OFFERS: Final = "section:has(#offers) [data-row]:not(.gone)"
OWED: Final = "section:has(#mine) [data-row]:not(.gone):has(.due)"
"""Mine, but for chats that are joined: who closes those is the customer."""
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
"""What the page says of an act that came to pass; of another it says why it did not."""


@dataclass
class Seat:
    """Somebody's page. ``over`` is set when the day is; ``by_keys`` needs no mouse."""

    page: Page
    over: asyncio.Event
    by_keys: bool = False
    done: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    sent: int = 0

    async def sit_down(self, link: str) -> None:
        """Sign in by a personal link, and take note of all that goes wrong from then on."""
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._send)
        self.page.on("requestfailed", self._miss)
        self.page.on("response", self._answered)
        await self.page.goto(link)
        await self.page.get_by_role("button", name="Sign in").click()
        await self.is_live()

    async def is_live(self) -> None:
        """Wait until the page hears the stream."""
        await self.page.wait_for_selector("body[data-live=live]", timeout=ANSWER_MS)

    async def sees(self, what: Locator) -> bool:
        """Wait until something is shown; False when the day ended before."""
        while not self.over.is_set():
            try:
                await what.first.wait_for(timeout=GLANCE_MS)
            except NotInTime:
                continue
            return True
        return False

    async def open(self, row: Locator) -> bool:
        """Open a ticket; False when its row has gone meanwhile."""
        try:
            ticket = await row.locator("a").get_attribute("data-open", timeout=HAND_MS)
            await self._press(self.page.locator(f'[data-open="{ticket}"]'))
            header = self.page.locator(f'#pane header[data-ticket="{ticket}"]')
            await header.wait_for(timeout=HAND_MS)
        except NotInTime:
            return False
        return True

    async def act(self, button: Locator, choice: Locator | None = None) -> str | None:
        """Press a button, or open a menu and choose; what the page says comes back.

        None when the button has gone meanwhile.
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
        said = self.page.locator(SAID).first
        await said.wait_for(timeout=ANSWER_MS)
        text = await said.inner_text()
        kind = next((kind for start, kind in DONE.items() if text.startswith(start)), None)
        if kind is None:
            self.refused.append(text)
        else:
            self.done[kind] += 1
        return text

    async def choose(self, menu: str, reason: str) -> str | None:
        """Do something to the opened ticket that wants a reason."""
        pane = self.page.locator("#pane")
        summary = pane.locator("summary", has_text=menu).first
        return await self.act(summary, pane.get_by_role("button", name=reason).first)

    async def press(self, label: str) -> str | None:
        """Do something to the opened ticket."""
        return await self.act(self.page.locator("#pane").get_by_role("button", name=label))

    async def _press(self, what: Locator, *, by_letter: bool = False) -> None:
        if not self.by_keys:
            await what.click(timeout=HAND_MS)
            return
        letter = await what.get_attribute("data-key", timeout=HAND_MS) if by_letter else None
        if letter:
            await self.page.keyboard.press(letter)
        else:
            await what.press("Enter", timeout=HAND_MS)

    def _hear(self, said: ConsoleMessage) -> None:
        if said.type == "error" and str(REFUSED) not in said.text:
            self.complaints.append(said.text)

    def _send(self, request: Request) -> None:
        """Count what was done: on a slow machine a press may count as late that was not."""
        self.sent += request.method == "POST"

    def _miss(self, request: Request) -> None:
        """Complain of what did not come; a stream ends when its page is left."""
        if "/inbox/stream" not in request.url:
            self.complaints.append(f"{request.method} {request.url}: {request.failure}")

    def _answered(self, response: Response) -> None:
        """Complain of what is bad; but what has gone meanwhile must be refused."""
        if response.status >= BAD and response.status != REFUSED:
            self.complaints.append(f"{response.status} {response.url}")


@dataclass
class Specialist(Seat):
    """Somebody who does their day's work."""

    name: str = ""
    tickets: int = 0
    occasions: Counter[str] = field(default_factory=Counter)
    dialled: set[str] = field(default_factory=set)

    async def work(self) -> None:
        """Do what there is to do, one after another, until the day is over."""
        work = self.page.locator(f"{MORE}, {OFFERS}, {OWED}")
        while await self.sees(work):
            await self._look_up()
            self.tickets += 1
            offers = self.page.locator(OFFERS)
            if await offers.count():
                await self._answer_offer(offers.first)
            elif await self.page.locator(OWED).count() and await self._open_first():
                await self._work_on_opened()
            if self.tickets % 10 == 0:
                await self._go_for_lunch()

    async def _open_first(self) -> bool:
        """Open what is due first; False when it has gone meanwhile."""
        return await self.open(self.page.locator(OWED).first)

    async def _look_up(self) -> None:
        """Ask for the rows that wait because the hand lay on the list."""
        more = self.page.locator(MORE)
        if await more.count():
            with suppress(NotInTime):
                await self._press(more, by_letter=True)

    def _is_turn(self, occasion: str, every: int) -> bool:
        """Tell whether this is one of the occasions on which something rarer is done."""
        self.occasions[occasion] += 1
        return self.occasions[occasion] % every == 0

    async def _answer_offer(self, offer: Locator) -> None:
        if self._is_turn("offer", 5):
            menu = offer.locator("summary", has_text="Decline")
            await self.act(menu, offer.get_by_role("button", name="No room now"))
        else:
            await self.act(offer.get_by_role("button", name="Accept"))

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
        """Every other customer does not answer at first."""
        ticket = await self.page.locator("#pane header").get_attribute("data-ticket") or ""
        again = ticket in self.dialled
        self.dialled.add(ticket)
        absent = not again and self._is_turn("call", 2)
        await self.choose("Log a call", "No answer" if absent else "Answered")

    async def _go_for_lunch(self) -> None:
        status = self.page.locator("#status")
        await self.act(status.get_by_role("button", name="Go away"))
        await status.get_by_text("◐ away").wait_for(timeout=ANSWER_MS)
        await self.act(status.get_by_role("button", name="Come back"))
        await status.get_by_text("● online").wait_for(timeout=ANSWER_MS)


@dataclass
class Lead(Seat):
    """Somebody who looks after the queue, and after who has what."""

    address: str = ""
    people: tuple[str, ...] = ()

    async def look_after(self) -> None:
        """Take a ticket back, move one, pin one that waits; in turn, until the day is over."""
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
        """Look at the queue, and at who has what."""
        await self._go_to("/inbox/lead")

    async def _pin(self) -> None:
        await self._give(None, "Pin")
        if await self.page.locator("#pane").get_by_role("button", name="Unpin").count():
            await self.press("Unpin")

    async def _give(self, to: str | None, label: str) -> None:
        """Give the opened ticket to somebody, or to whom the page names first; if it still can."""
        pane = self.page.locator("#pane")
        try:
            await pane.locator("summary", has_text="Move or pin").click(timeout=HAND_MS)
            if to is not None:
                await pane.locator("select[name=to]").select_option(to, timeout=HAND_MS)
        except NotInTime:
            return
        await self.act(pane.get_by_role("button", name=label, exact=True))

    async def _go_to(self, path: str) -> None:
        await self.page.goto(f"{self.address}{path}")
        await self.is_live()

    async def _opens(self, which: str) -> bool:
        """Open what is due last: somebody is about to answer what is due first."""
        rows = self.page.locator(which)
        return await self.sees(rows) and await self.open(rows.last)
