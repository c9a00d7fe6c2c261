"""HTTP routes of the inbox: translate requests into reads and commands, results into pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from router.domain.specialist import CHANNELS
from router.pages import presence
from router.pages.actions import KEPT_AS, OUTCOMES, REASONS, Message, PageAction, perform
from router.pages.details import IntakeClient
from router.pages.views import (
    LeadView,
    SpecialistView,
    TicketView,
    read_lead_view,
    read_specialist_view,
    read_ticket_view,
)
from router.service.routing import RoutingService
from router.store import pages as page_store
from shared.platform.idempotency import key_in, once
from shared.platform.postgres import Database, Tx, now
from shared.web.change_feed import ChangeFeed, LivePage, stream
from shared.web.oidc import Oidc
from shared.web.page_sessions import PageSessions, form_of
from shared.web.pages import HEADERS, Pages, route
from shared.web.sign_in import sign_in_routes
from shared.web.visitors import Denied, Missing, Person, Visitor

__all__ = ["STREAM", "inbox_routes"]

HOME: Final = "/inbox"
LEAD: Final = "/inbox/lead"
STREAM: Final = "/inbox/stream"
_KEYS: Final = (
    ("J", "next ticket"),
    ("K", "previous ticket"),
    ("Enter", "open it"),
    ("S", "show what the customer wrote"),
    ("A", "accept the offer"),
    ("D", "decline, with a reason"),
    ("R", "I have answered the customer"),
    ("L", "log what came of a call"),
    ("C", "confirm that it is business-critical"),
    ("X", "reclassify"),
    ("H", "hand back, with a reason"),
    ("M", "move or pin it (leads)"),
    ("W", "go away, or come back"),
    ("U", "update the opened ticket"),
    ("N", "show the new rows that wait"),
    ("?", "this list"),
    ("Esc", "close, or leave a field"),
)
_TIME_IS_SCALED: Final = "Time runs faster than people here: presence is what the roster says."
_AWAY: Final = "You are away: nothing new comes, what you have stays with you."
_ONLINE: Final = "You are online: work comes as there is room."
_NO_PAGE: Final = "There is no such page: the link is damaged."
_SPECIALIST_PARTS: Final = ("desk_status.html", "set_away.html", "desk_lists.html")
_LEAD_PARTS: Final = (
    "floor_status.html",
    "set_away.html",
    "floor_unanswered.html",
    "floor_queue.html",
    "floor_infeasible.html",
    "floor_people.html",
)
"""The parts of the lead's page; the stream sends each part that changed."""


def inbox_routes(
    db: Database, routing: RoutingService, feed: ChangeFeed, intake: IntakeClient, oidc: Oidc | None
) -> Sequence[BaseRoute]:
    """Return the routes of sign-in and pages."""
    pages = Pages("router", "router.pages")

    async def report_sign_out(tx: Tx, person: Person) -> None:
        if await presence.outlasts_polling(tx, feed):
            await presence.sign_out(routing, tx, person.name, await now(tx))

    sessions = PageSessions(db, pages, page_store.is_listed, report_sign_out)
    inbox = _Inbox(db, sessions, routing, feed, intake)
    return [
        pages.assets(),
        *sign_in_routes(db, sessions, oidc, HOME),
        route("/", _home),
        sessions.route(HOME, inbox.specialist_page),
        sessions.route(LEAD, inbox.lead_page),
        sessions.route(STREAM, inbox.stream),
        sessions.route("/inbox/presence", inbox.presence, method="POST"),
        sessions.route("/inbox/tickets/{ticket_id:uuid}", inbox.ticket_page),
        sessions.route("/inbox/tickets/{ticket_id:uuid}/details", inbox.details),
        sessions.route("/inbox/tickets/{ticket_id:uuid}/{act}", inbox.submit, method="POST"),
    ]


async def _home(_: Request) -> Response:
    return RedirectResponse(HOME, 303, headers=HEADERS)


@dataclass(frozen=True, slots=True)
class _PageUrl:
    """What the URL of a page states: whose page, which part of the queue, which ticket."""

    owner: str
    lead: bool
    asked: page_store.QueueFilter
    team: str | None
    ticket_id: UUID | None

    @property
    def path(self) -> str:
        """The path of the page."""
        return LEAD if self.lead else HOME

    def query(self, me: str) -> dict[str, str]:
        """Return the query of the URL, without the ticket."""
        query = {
            "of": "" if self.owner == me or self.lead else self.owner,
            "channel": self.asked.channel or "",
            "language": self.asked.language or "",
            "sort": "age" if self.asked.oldest_first else "",
            "team": self.team or "",
            "page": str(self.asked.page) if self.asked.page > 1 else "",
        }
        return {name: value for name, value in query.items() if value}

    def pagination(self, me: str, fitting: int) -> dict[str, Any]:
        """Return which of ``fitting`` tickets are shown, and URLs of the pages before and after."""
        page, first = self.asked.page, (self.asked.page - 1) * page_store.QUEUE_PAGE
        last = min(first + page_store.QUEUE_PAGE, fitting)
        return {
            "first": first + 1,
            "last": last,
            "fitting": fitting,
            "before": self._url_of_page(me, page - 1) if page > 1 else None,
            "after": self._url_of_page(me, page + 1) if last < fitting else None,
        }

    def _url_of_page(self, me: str, page: int) -> str:
        query = {**self.query(me), "page": str(page)}
        return f"{self.path}?{urlencode(query)}"

    def base(self, me: str) -> str:
        """Return the URL to which the id of a ticket can be appended."""
        query = urlencode(self.query(me))
        return f"{self.path}?{query}&" if query else f"{self.path}?"


class _Inbox:
    """The handlers of the pages."""

    def __init__(
        self,
        db: Database,
        sessions: PageSessions,
        routing: RoutingService,
        feed: ChangeFeed,
        intake: IntakeClient,
    ) -> None:
        self._db = db
        self._routing = routing
        self._sessions = sessions
        self._pages = sessions.pages
        self._feed = feed
        self._intake = intake
        self._once = partial(once, db, kept_as=KEPT_AS)
        """Handles each form once: each has an idempotency key of its own."""

    async def specialist_page(self, request: Request, visitor: Visitor) -> Response:
        """Show a specialist's page."""
        url = _parse_url(request, visitor, lead=False)
        async with self._db.transaction() as tx:
            desk = await read_specialist_view(tx, url.owner, await now(tx))
            ticket = await self._opened_ticket(tx, visitor, url)
            return self._page("desk.html", visitor, url, await now(tx), ticket, desk=desk)

    async def lead_page(self, request: Request, visitor: Visitor) -> Response:
        """Show the lead's page."""
        url = _parse_url(request, visitor, lead=True)
        async with self._db.transaction() as tx:
            floor = await self._lead_view(tx, visitor, url)
            ticket = await self._opened_ticket(tx, visitor, url)
            languages = sorted({language for _, language, _ in floor.pools})
            turns = url.pagination(visitor.name, floor.fitting)
            more = {"asked": url.asked, "languages": languages, "turns": turns}
            return self._page(
                "floor.html", visitor, url, await now(tx), ticket, floor=floor, **more
            )

    async def stream(self, request: Request, visitor: Visitor) -> Response:
        """Stream the parts of a page that change."""
        url = _parse_url(request, visitor, lead=request.query_params.get("on") == "lead")

        async def read() -> SpecialistView | LeadView:
            async with self._db.transaction() as tx:
                if url.lead:
                    return await self._lead_view(tx, visitor, url)
                return await read_specialist_view(tx, url.owner, await now(tx))

        async def renew_presence(tx: Tx, person: Person) -> None:
            if await presence.outlasts_polling(tx, self._feed):
                await presence.renew(self._routing, tx, person.name, await now(tx))

        shown: LivePage[SpecialistView | LeadView] = LivePage(
            about=None if url.lead else url.owner,
            read=read,
            write=lambda view: self._parts(view, visitor, url),
            stay=lambda: self._sessions.extend(visitor, renew_presence),
            release=self._pages.release,
        )
        return stream(self._feed, shown)

    async def ticket_page(self, request: Request, visitor: Visitor) -> Response:
        """Show one ticket."""
        async with self._db.transaction() as tx:
            ticket = await self._ticket_view(tx, visitor, request.path_params["ticket_id"])
            return self._pages.answer(
                "pane.html", **self._ticket_context(ticket, await now(tx), visitor)
            )

    async def details(self, request: Request, visitor: Visitor) -> Response:
        """Show what the customer wrote."""
        ticket_id = request.path_params["ticket_id"]
        async with self._db.transaction() as tx:
            ticket = await self._ticket_view(tx, visitor, ticket_id)
            seen: dict[str, Any] = {"now": await now(tx), "zone": ticket.zone}
        details = await self._intake.details(ticket_id)
        return self._pages.answer("details.html", details=details, ticket_id=ticket_id, **seen)

    async def submit(self, request: Request, visitor: Visitor) -> Response:
        """Execute a form, and answer with a message and the ticket as it is now."""
        form = await form_of(request)
        ticket_id = request.path_params["ticket_id"]
        action = PageAction(request.path_params["act"], ticket_id, form.get("turn", ""), form)

        async with self._once(await key_in(request, "person", visitor.name)) as sent:
            if not sent.is_repeated:
                at = await now(sent.tx)
                sent.outcome = await perform(self._routing, sent.tx, visitor, action, at)
        message = sent.outcome
        if "from_list" in form:
            return self._pages.answer("said.html", said=message)
        async with self._db.transaction() as tx:
            at = await now(tx)
            try:
                ticket = await self._ticket_view(tx, visitor, ticket_id)
            except Denied:
                return self._pages.answer("said.html", said=message)
            return self._pages.answer(
                "pane.html", **self._ticket_context(ticket, at, visitor, message)
            )

    async def presence(self, request: Request, visitor: Visitor) -> Response:
        """Set away or online; the page then changes through its stream, like any other change.

        The stream is the only source of changes, so that no older state follows a newer one.
        """
        chosen = (await form_of(request)).get("presence", "")

        async with self._once(await key_in(request, "person", visitor.name)) as sent:
            if not sent.is_repeated:
                sent.outcome = await self._set_presence(sent.tx, visitor, chosen)
        return self._pages.answer("said.html", said=sent.outcome)

    async def _set_presence(self, tx: Tx, visitor: Visitor, chosen: str) -> Message:
        if not await presence.outlasts_polling(tx, self._feed):
            return Message(_TIME_IS_SCALED, bad=True)
        at = await now(tx)
        there = await presence.set_presence(self._routing, tx, visitor.name, chosen, at)
        return Message(_AWAY if there == "away" else _ONLINE)

    async def _opened_ticket(
        self, tx: Tx, visitor: Visitor, url: _PageUrl
    ) -> Mapping[str, Any] | None:
        if url.ticket_id is None:
            return None
        try:
            ticket = await self._ticket_view(tx, visitor, url.ticket_id)
        except (Denied, Missing) as e:
            return {"said": Message(str(e), bad=True)}
        return self._ticket_context(ticket, await now(tx), visitor)

    async def _lead_view(self, tx: Tx, visitor: Visitor, url: _PageUrl) -> LeadView:
        return await read_lead_view(tx, self._routing, visitor.name, url.asked, url.team)

    async def _ticket_view(self, tx: Tx, visitor: Visitor, ticket_id: UUID) -> TicketView:
        """Return a ticket that the visitor may see.

        Raises:
            Denied: it is not theirs.
            Missing: it does not exist.
        """
        ticket = await read_ticket_view(tx, self._routing, ticket_id, visitor.name, await now(tx))
        if not visitor.lead and not await page_store.may_see(tx, ticket_id, visitor.name):
            raise Denied("This ticket is another's.")
        return ticket

    def _ticket_context(
        self, ticket: TicketView, at: datetime, visitor: Visitor, message: Message | None = None
    ) -> Mapping[str, Any]:
        return {
            "pane": ticket,
            "now": at,
            "said": message,
            "visitor": visitor,
            "reasons": REASONS,
            "outcomes": OUTCOMES,
        }

    def _page(
        self,
        template: str,
        visitor: Visitor,
        url: _PageUrl,
        at: datetime,
        ticket: Mapping[str, Any] | None,
        **view: Any,  # noqa: ANN401 - whatever the template shows
    ) -> Response:
        opened = (
            "no_pane.html" if ticket is None else "pane.html" if "pane" in ticket else "said.html"
        )
        pane_html = self._pages.render(opened, **(ticket or {}))
        query = {**url.query(visitor.name), **({"on": "lead"} if url.lead else {})}
        return self._pages.answer(
            template,
            visitor=visitor,
            pages=[(HOME, "Inbox"), *([(LEAD, "Lead")] if visitor.lead else [])],
            here=url.path,
            keys=_KEYS,
            stream=f"{STREAM}?{urlencode(query)}",
            as_of=at,
            now=at,
            base=url.base(visitor.name),
            pane_html=Markup(pane_html),  # noqa: S704 - rendered with escaping just above
            filtered=bool(url.query(visitor.name)),
            reasons=REASONS,
            mine=url.owner == visitor.name,
            **view,
        )

    def _parts(self, view: SpecialistView | LeadView, visitor: Visitor, url: _PageUrl) -> str:
        lead = isinstance(view, LeadView)
        seen = {
            "now": self._feed.as_of,
            "base": url.base(visitor.name),
            "filtered": bool(url.query(visitor.name)),
            "reasons": REASONS,
            "mine": url.owner == visitor.name,
            "floor" if lead else "desk": view,
        }
        if isinstance(view, LeadView):
            seen["turns"] = url.pagination(visitor.name, view.fitting)
        return "".join(
            self._pages.render(part, **seen)
            for part in (_LEAD_PARTS if lead else _SPECIALIST_PARTS)
        )


def _parse_url(request: Request, visitor: Visitor, *, lead: bool) -> _PageUrl:
    """Parse the URL.

    Raises:
        Denied: the page is for leads.
        Missing: a value is malformed.
    """
    asked = request.query_params
    owner = asked.get("of") or visitor.name
    if not visitor.lead and (lead or owner != visitor.name):
        raise Denied("This page is for leads. Ask for a link with the lead role.")
    try:
        ticket_id = UUID(asked["ticket"]) if asked.get("ticket") else None
        page = max(1, int(asked.get("page") or 1))
    except ValueError as e:
        raise Missing(_NO_PAGE) from e
    if page > page_store.PAGE_MAX:
        raise Missing(_NO_PAGE)
    channel = asked.get("channel")
    part = page_store.QueueFilter(
        channel=next((one for one in CHANNELS if one == channel), None),
        language=asked.get("language") or None,
        oldest_first=asked.get("sort") == "age",
        page=page,
    )
    return _PageUrl(owner, lead, part, asked.get("team") or None, ticket_id)
