"""Sign-in links, sessions and CSRF tokens: who may use the pages, and for how long."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

import httpx
import pytest
from tests.browser.inbox_server import InboxServer, serving_inbox
from tests.integration.router.scenario import short_pause

from router.pages import presence
from shared.events import ticket_id_of
from shared.platform import idempotency
from shared.platform.postgres import Database, now
from shared.testing.builders import a_specialist, a_ticket, removed
from shared.testing.databases import MakeDatabase
from shared.web import store as web

T1: Final = ticket_id_of("test", "T1")
LATER: Final = """
    UPDATE web_session SET seen_at = seen_at - $1::interval, began_at = began_at - $2::interval
"""
OLDER_LINKS: Final = "UPDATE web_link SET expires_at = expires_at - interval '15 min'"
TURN: Final = r'name="turn" value="(\d+)"'
OLDER_KEYS: Final = "UPDATE idempotency_key SET kept_at = kept_at - interval '8 days'"
SECRETS: Final = """
    SELECT encode(digest, 'hex') FROM web_link
    UNION SELECT encode(digest, 'hex') FROM web_session
"""
ACTS: Final = "SELECT actor, kind FROM act"
LOCKED_OUT: Final = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"
SAID: Final = "SELECT said FROM presence"
HOLDER: Final = "SELECT specialist_id FROM ticket"
MINUTE: Final = timedelta(minutes=1)
OTHERS: Final = (
    ("GET", f"/inbox/tickets/{T1}"),
    ("GET", f"/inbox/tickets/{T1}/details"),
    ("GET", "/inbox?of=ann"),
    ("GET", "/inbox/stream?of=ann"),
    ("GET", "/inbox/stream?on=lead"),
    ("GET", "/inbox/lead"),
    *(
        ("POST", f"/inbox/tickets/{T1}/{act}")
        for act in ("decline", "responded", "confirm", "hand-back", "move", "pin", "unpin")
    ),
)


@pytest.fixture
async def pages(database: MakeDatabase) -> AsyncIterator[InboxServer]:
    """Serve the pages; ann has a ticket, ben has none."""
    async with serving_inbox(await database("router")) as pages:
        await pages.handle(a_specialist("ann"), a_ticket("T1"), a_specialist("ben"))
        yield pages


@pytest.fixture
async def browser(pages: InboxServer) -> AsyncIterator[httpx.AsyncClient]:
    """Make a client that follows redirects and keeps cookies."""
    async with httpx.AsyncClient(base_url=pages.address, follow_redirects=True) as client:
        yield client


async def sign_in(
    browser: httpx.AsyncClient, pages: InboxServer, name: str, *, lead: bool = False
) -> str:
    """Use a link; return the session's CSRF token."""
    answer = await browser.post(await pages.link(name, lead=lead))
    assert answer.url.path == "/inbox", answer.text
    [token] = re.findall(r'"x-csrf-token": "([0-9a-f]{64})"', answer.text)
    return str(token)


async def decline(
    browser: httpx.AsyncClient, token: str, key: str = "k-1", **form: str
) -> httpx.Response:
    """Decline T1 as the page's button does."""
    fields = {"turn": "1", "reason": "no room now", **form}
    headers = {"x-csrf-token": token, "hx-request": "true", "idempotency-key": key}
    return await browser.post(f"/inbox/tickets/{T1}/decline", data=fields, headers=headers)


async def read(db: Database, statement: str, *args: object) -> list[tuple[object, ...]]:
    """Run a statement."""
    async with db.session() as session:
        return [tuple(row) for row in await session.fetch(statement, *args)]


async def test_a_link_works_once(browser: httpx.AsyncClient, pages: InboxServer) -> None:
    """Opening the link does not use it up, as mail scanners open it; the button does."""
    link = await pages.link("ann")
    assert "Sign in as ann" in (await browser.get(link)).text
    assert "Inbox of Ann" in (await browser.post(link)).text
    assert (await browser.post(link)).status_code == 410
    assert (await browser.get(link)).status_code == 410


async def test_a_heartbeat_on_its_way_does_not_outlive_a_sign_out(
    browser: httpx.AsyncClient, pages: InboxServer
) -> None:
    """A page's renewal during a sign-out counts before it, not after."""
    token = await sign_in(browser, pages, "ann")
    async with pages.db.transaction() as tx:
        assert await web.resume(tx, browser.cookies["router-session"])
        out = asyncio.create_task(browser.post("/sign-out", data={"csrf": token}))
        while not out.done() and not (await read(pages.db, LOCKED_OUT))[0][0]:
            await short_pause()
        await presence.renew(pages.routing, tx, "ann", await now(tx))
    await out
    assert await read(pages.db, SAID) == [("offline",)]


async def test_a_link_expires(browser: httpx.AsyncClient, pages: InboxServer) -> None:
    """It expires after 15 minutes; the page explains how to get another."""
    link = await pages.link("ann")
    await read(pages.db, OLDER_LINKS)
    answer = await browser.post(link)
    assert answer.status_code == 410
    assert "premium inbox link" in answer.text


async def test_only_digests_of_links_and_sessions_are_stored(
    browser: httpx.AsyncClient, pages: InboxServer
) -> None:
    """The database has only a digest of both."""
    link = await pages.link("ann")
    await sign_in(browser, pages, "ann")
    kept = {str(row[0]) for row in await read(pages.db, SECRETS)}
    shown = {link.rpartition("/")[2], browser.cookies["router-session"]}
    assert len(kept) == 2
    assert not kept & shown


async def test_the_cookie_has_its_security_attributes(
    pages: InboxServer, browser: httpx.AsyncClient
) -> None:
    """HttpOnly, SameSite, and Secure for https."""
    answer = await browser.post(await pages.link("ann"), follow_redirects=False)
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    behind_tls = {"x-forwarded-proto": "https"}
    answer = await browser.post(await pages.link("ann"), headers=behind_tls, follow_redirects=False)
    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize(("idle", "age"), [(61 * MINUTE, 61 * MINUTE), (MINUTE, 721 * MINUTE)])
async def test_a_session_expires(
    browser: httpx.AsyncClient, pages: InboxServer, idle: timedelta, age: timedelta
) -> None:
    """After an hour without use, and after twelve hours; the page explains it."""
    await sign_in(browser, pages, "ann")
    await read(pages.db, LATER, 59 * MINUTE, 659 * MINUTE)
    assert (await browser.get("/inbox")).url.path == "/inbox"
    await read(pages.db, LATER, idle, age)
    answer = await browser.get("/inbox")
    assert answer.url.path == "/sign-in"
    assert answer.url.params["next"] == "/inbox"
    assert "Your session has ended" in answer.text


async def test_sign_out_invalidates_the_cookie(
    browser: httpx.AsyncClient, pages: InboxServer
) -> None:
    """A copied cookie is not valid afterwards."""
    token = await sign_in(browser, pages, "ann")
    cookie = browser.cookies["router-session"]
    answer = await browser.post("/sign-out", data={"csrf": token})
    assert "You are signed out" in answer.text
    browser.cookies.set("router-session", cookie)
    assert (await browser.get("/inbox")).url.path == "/sign-in"


@pytest.mark.parametrize(("method", "path"), OTHERS)
async def test_every_route_requires_a_session(
    browser: httpx.AsyncClient, method: str, path: str
) -> None:
    """Every route requires a session."""
    answer = await browser.request(method, path, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in?why=first")


@pytest.mark.parametrize(("method", "path"), OTHERS)
async def test_only_a_lead_acts_on_others_tickets(
    browser: httpx.AsyncClient, pages: InboxServer, method: str, path: str
) -> None:
    """Without the lead role, every route refuses, and nothing changes."""
    token = await sign_in(browser, pages, "ben")
    fields = {"turn": "1", "reason": "no room now", "to": "ben"}
    answer = await browser.request(
        method,
        path,
        headers={"x-csrf-token": token},
        data=fields if method == "POST" else None,
    )
    assert answer.status_code == 403
    assert await read(pages.db, HOLDER) == [("ann",)]


async def test_a_lead_may_act_on_others_tickets_and_is_recorded(
    browser: httpx.AsyncClient, pages: InboxServer
) -> None:
    """The record names the lead."""
    token = await sign_in(browser, pages, "ben", lead=True)
    assert (await browser.get(f"/inbox/tickets/{T1}")).status_code == 200
    answer = await browser.post(
        f"/inbox/tickets/{T1}/move",
        data={"turn": "1", "reason": "has more room", "to": "ben"},
        headers={"x-csrf-token": token},
    )
    assert "Moved; Ben has it." in answer.text
    assert await read(pages.db, HOLDER) == [("ben",)]
    assert await read(pages.db, ACTS) == [("ben", "move")]


@pytest.mark.parametrize("token", ["", "0" * 64])
async def test_a_post_needs_the_csrf_token(
    browser: httpx.AsyncClient, pages: InboxServer, token: str
) -> None:
    """Forms of other sites lack the CSRF token."""
    await sign_in(browser, pages, "ann")
    answer = await decline(browser, token)
    assert answer.status_code == 403
    assert await read(pages.db, HOLDER) == [("ann",)]


async def test_a_repeated_post_is_done_once(browser: httpx.AsyncClient, pages: InboxServer) -> None:
    """The second gets the first response, even if the ticket has changed meanwhile."""
    token = await sign_in(browser, pages, "ann")
    first, second = await decline(browser, token), await decline(browser, token)
    assert "Declined; Ben has it." in first.text
    assert second.text == first.text
    assert await read(pages.db, ACTS) == [("ann", "decline")]


async def test_simultaneous_posts_are_done_once(
    browser: httpx.AsyncClient, pages: InboxServer
) -> None:
    """All get the first response."""
    token = await sign_in(browser, pages, "ann")
    answers = await asyncio.gather(*(decline(browser, token) for _ in range(5)))
    assert {answer.text for answer in answers} == {answers[0].text}
    assert "Declined; Ben has it." in answers[0].text
    assert await read(pages.db, ACTS) == [("ann", "decline")]


async def test_a_form_sent_again_with_another_choice_is_refused(
    browser: httpx.AsyncClient, pages: InboxServer
) -> None:
    """The page explains it; a form that had no effect may be sent again with any choice."""
    token = await sign_in(browser, pages, "ann")
    assert "out of date" in (await decline(browser, token, turn="0")).text
    assert "Declined" in (await decline(browser, token)).text
    answer = await decline(browser, token, reason="not my field")
    assert (answer.status_code, "another choice" in answer.text) == (422, True)
    assert await read(pages.db, ACTS) == [("ann", "decline")]


async def test_a_key_belongs_to_one_person(browser: httpx.AsyncClient, pages: InboxServer) -> None:
    """The same key of another person is another key."""
    await decline(browser, await sign_in(browser, pages, "ann"))
    async with httpx.AsyncClient(base_url=pages.address, follow_redirects=True) as other:
        token = await sign_in(other, pages, "ben")
        [turn] = set(re.findall(TURN, (await other.get(f"/inbox/tickets/{T1}")).text))
        assert "Declined;" in (await decline(other, token, turn=turn)).text
    assert await read(pages.db, ACTS) == [("ann", "decline"), ("ben", "decline")]


async def test_after_seven_days_a_form_is_not_recognised(
    browser: httpx.AsyncClient, pages: InboxServer
) -> None:
    """It is handled anew: the ticket is another's by now."""
    token = await sign_in(browser, pages, "ann")
    assert (await decline(browser, token)).status_code == 200
    await read(pages.db, OLDER_KEYS)
    async with pages.db.transaction() as tx:
        assert await idempotency.prune(tx, limit=10) == 1
    assert (await decline(browser, token)).status_code == 403


async def test_every_button_of_a_page_has_a_key_of_its_own(
    browser: httpx.AsyncClient, pages: InboxServer
) -> None:
    """Of each form, made when the page is rendered."""
    await sign_in(browser, pages, "ann", lead=True)
    page = (await browser.get(f"/inbox?ticket={T1}")).text
    posts = page.count("hx-post=")
    keys = re.findall(r'"idempotency-key": "([^"]+)"', page)
    assert len(keys) == len(set(keys)) == posts - 1, "move and pin share a form"
    again = re.findall(r'"idempotency-key": "([^"]+)"', (await browser.get("/inbox")).text)
    assert not set(again) & set(keys)


async def test_an_action_from_an_outdated_page_is_refused(
    browser: httpx.AsyncClient, pages: InboxServer
) -> None:
    """An action on a ticket that has changed hands since the page was drawn is refused."""
    token = await sign_in(browser, pages, "ann")
    answer = await decline(browser, token, turn="0")
    assert "This page was out of date" in answer.text
    assert await read(pages.db, HOLDER) == [("ann",)]


async def test_leaving_the_roster_ends_the_session(
    browser: httpx.AsyncClient, pages: InboxServer
) -> None:
    """Their session is not valid any more."""
    await sign_in(browser, pages, "ben")
    await pages.handle(removed("ben", after_min=5))
    assert (await browser.get("/inbox")).url.path == "/sign-in"
