"""Links, sessions and the door: who gets in, for how long, and what they may touch."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

import httpx
import pytest
from tests.browser.inbox_server import Desk, opened
from tests.integration.router.scenario import short_pause

from router.pages import presence
from shared.events import ticket_id_of
from shared.platform.postgres import Database, now
from shared.testing.builders import a_specialist, a_ticket, removed
from shared.testing.databases import MakeDatabase
from shared.web import store as web

T1: Final = ticket_id_of("test", "T1")
LATER: Final = """
    UPDATE web_session SET seen_at = seen_at - $1::interval, began_at = began_at - $2::interval
"""
OLDER_LINKS: Final = "UPDATE web_link SET expires_at = expires_at - interval '15 min'"
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
async def desk(database: MakeDatabase) -> AsyncIterator[Desk]:
    """Serve the pages; ann has a ticket, ben has none."""
    async with opened(await database("router")) as desk:
        await desk.given(a_specialist("ann"), a_ticket("T1"), a_specialist("ben"))
        yield desk


@pytest.fixture
async def browser(desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
    """Follow redirects and keep cookies, as a browser does."""
    async with httpx.AsyncClient(base_url=desk.address, follow_redirects=True) as client:
        yield client


async def sign_in(browser: httpx.AsyncClient, desk: Desk, name: str, *, lead: bool = False) -> str:
    """Use a link; the session's token for acts comes back."""
    answer = await browser.post(await desk.link(name, lead=lead))
    assert answer.url.path == "/inbox", answer.text
    [token] = re.findall(r'"x-csrf-token": "([0-9a-f]{64})"', answer.text)
    return str(token)


async def decline(browser: httpx.AsyncClient, token: str, **form: str) -> httpx.Response:
    """Decline T1 as the page's button does."""
    fields = {"turn": "1", "reason": "no room now", **form}
    headers = {"x-csrf-token": token, "hx-request": "true"}
    return await browser.post(f"/inbox/tickets/{T1}/decline", data=fields, headers=headers)


async def read(db: Database, statement: str, *args: object) -> list[tuple[object, ...]]:
    """Run a statement."""
    async with db.session() as session:
        return [tuple(row) for row in await session.fetch(statement, *args)]


async def test_a_link_lets_in_once(browser: httpx.AsyncClient, desk: Desk) -> None:
    """Looking at it does not use it up: mail scanners look, and only a button is pressed once."""
    link = await desk.link("ann")
    assert "Sign in as ann" in (await browser.get(link)).text
    assert "Inbox of Ann" in (await browser.post(link)).text
    assert (await browser.post(link)).status_code == 410
    assert (await browser.get(link)).status_code == 410


async def test_a_heartbeat_on_its_way_does_not_outlive_a_sign_out(
    browser: httpx.AsyncClient, desk: Desk
) -> None:
    """What a page says before its session ends counts before that, not after."""
    token = await sign_in(browser, desk, "ann")
    async with desk.db.transaction() as tx:
        assert await web.resume(tx, browser.cookies["router-session"])
        out = asyncio.create_task(browser.post("/sign-out", data={"csrf": token}))
        while not out.done() and not (await read(desk.db, LOCKED_OUT))[0][0]:
            await short_pause()
        await presence.renew(desk.routing, tx, "ann", await now(tx))
    await out
    assert await read(desk.db, SAID) == [("offline",)]


async def test_an_old_link_lets_nobody_in(browser: httpx.AsyncClient, desk: Desk) -> None:
    """After 15 minutes it is over; the page says how to get another."""
    link = await desk.link("ann")
    await read(desk.db, OLDER_LINKS)
    answer = await browser.post(link)
    assert answer.status_code == 410
    assert "premium inbox link" in answer.text


async def test_neither_links_nor_sessions_are_kept_readable(
    browser: httpx.AsyncClient, desk: Desk
) -> None:
    """Of both, the database knows a digest alone."""
    link = await desk.link("ann")
    await sign_in(browser, desk, "ann")
    kept = {str(row[0]) for row in await read(desk.db, SECRETS)}
    shown = {link.rpartition("/")[2], browser.cookies["router-session"]}
    assert len(kept) == 2
    assert not kept & shown


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(
    desk: Desk, browser: httpx.AsyncClient
) -> None:
    """HttpOnly, SameSite, and Secure where the page is."""
    answer = await browser.post(await desk.link("ann"), follow_redirects=False)
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    behind_tls = {"x-forwarded-proto": "https"}
    answer = await browser.post(await desk.link("ann"), headers=behind_tls, follow_redirects=False)
    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize(("idle", "age"), [(61 * MINUTE, 61 * MINUTE), (MINUTE, 721 * MINUTE)])
async def test_a_session_ends_unused_or_old(
    browser: httpx.AsyncClient, desk: Desk, idle: timedelta, age: timedelta
) -> None:
    """After an hour without use, and after twelve in any case; the page says so."""
    await sign_in(browser, desk, "ann")
    await read(desk.db, LATER, 59 * MINUTE, 659 * MINUTE)
    assert (await browser.get("/inbox")).url.path == "/inbox"
    await read(desk.db, LATER, idle, age)
    answer = await browser.get("/inbox")
    assert answer.url.path == "/sign-in"
    assert answer.url.params["next"] == "/inbox"
    assert "Your session has ended" in answer.text


async def test_who_signs_out_is_out_everywhere(browser: httpx.AsyncClient, desk: Desk) -> None:
    """The cookie is worth nothing afterwards, wherever it was copied to."""
    token = await sign_in(browser, desk, "ann")
    cookie = browser.cookies["router-session"]
    answer = await browser.post("/sign-out", data={"csrf": token})
    assert "You are signed out" in answer.text
    browser.cookies.set("router-session", cookie)
    assert (await browser.get("/inbox")).url.path == "/sign-in"


@pytest.mark.parametrize(("method", "path"), OTHERS)
async def test_nobody_sees_or_touches_anything_signed_out(
    browser: httpx.AsyncClient, method: str, path: str
) -> None:
    """Every route asks who is there."""
    answer = await browser.request(method, path, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in?why=first")


@pytest.mark.parametrize(("method", "path"), OTHERS)
async def test_nobody_sees_or_touches_what_is_anothers(
    browser: httpx.AsyncClient, desk: Desk, method: str, path: str
) -> None:
    """Without the lead role, every route refuses, and nothing happens."""
    token = await sign_in(browser, desk, "ben")
    fields = {"turn": "1", "reason": "no room now", "to": "ben"}
    answer = await browser.request(
        method,
        path,
        headers={"x-csrf-token": token},
        data=fields if method == "POST" else None,
    )
    assert answer.status_code == 403
    assert await read(desk.db, HOLDER) == [("ann",)]


async def test_a_lead_may_take_from_others_and_it_is_kept_who_did(
    browser: httpx.AsyncClient, desk: Desk
) -> None:
    """The record says who decided it."""
    token = await sign_in(browser, desk, "ben", lead=True)
    assert (await browser.get(f"/inbox/tickets/{T1}")).status_code == 200
    answer = await browser.post(
        f"/inbox/tickets/{T1}/move",
        data={"turn": "1", "reason": "has more room", "to": "ben"},
        headers={"x-csrf-token": token},
    )
    assert "Moved; Ben has it." in answer.text
    assert await read(desk.db, HOLDER) == [("ben",)]
    assert await read(desk.db, ACTS) == [("ben", "move")]


@pytest.mark.parametrize("token", ["", "0" * 64])
async def test_an_act_needs_the_token_of_its_session(
    browser: httpx.AsyncClient, desk: Desk, token: str
) -> None:
    """Another site's form does not have it."""
    await sign_in(browser, desk, "ann")
    answer = await decline(browser, token)
    assert answer.status_code == 403
    assert await read(desk.db, HOLDER) == [("ann",)]


async def test_an_act_sent_twice_is_done_once(browser: httpx.AsyncClient, desk: Desk) -> None:
    """The second gets the first one's answer, though the ticket has gone on meanwhile."""
    token = await sign_in(browser, desk, "ann")
    first, second = await decline(browser, token), await decline(browser, token)
    assert "Declined; Ben has it." in first.text
    assert second.text == first.text
    assert await read(desk.db, ACTS) == [("ann", "decline")]


async def test_a_page_that_is_out_of_date_says_so(browser: httpx.AsyncClient, desk: Desk) -> None:
    """A ticket that has gone round since the page was drawn is not acted on unseen."""
    token = await sign_in(browser, desk, "ann")
    answer = await decline(browser, token, turn="0")
    assert "This page was out of date" in answer.text
    assert await read(desk.db, HOLDER) == [("ann",)]


async def test_who_leaves_the_roster_is_out_at_once(browser: httpx.AsyncClient, desk: Desk) -> None:
    """Their session is worth nothing any more."""
    await sign_in(browser, desk, "ben")
    await desk.given(removed("ben", after_min=5))
    assert (await browser.get("/inbox")).url.path == "/sign-in"
