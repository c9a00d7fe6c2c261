"""Signing in with the company's account, at a real issuer that checks and can lie."""

import re
from collections.abc import AsyncIterator, Mapping
from html import unescape
from typing import Any

import httpx
import pytest
from pydantic import AnyHttpUrl, SecretStr
from tests.browser.inbox_server import REAL_NOW, InboxServer, serving_inbox
from tests.integration.web.issuer import CLIENT, SECRET, Issuer, issuing

from shared.platform.postgres import Database
from shared.testing.builders import a_specialist
from shared.testing.databases import FreshDatabase, MakeDatabase
from shared.web import store as web
from shared.web.oidc import OidcSettings


@pytest.fixture
async def fresh(database: MakeDatabase) -> FreshDatabase:
    """Make a database."""
    return await database("router")


@pytest.fixture
async def issuer(fresh: FreshDatabase) -> AsyncIterator[Issuer]:
    """Run an issuer, by the real clock."""
    db = Database(fresh.dsn, service="test")
    await db.start()
    async with db.session() as session:
        now = await session.fetchval(REAL_NOW)
    await db.stop()
    async with issuing(now) as issuer:
        yield issuer


@pytest.fixture
async def desk(fresh: FreshDatabase, issuer: Issuer) -> AsyncIterator[InboxServer]:
    """Serve the pages; ann is on the roster."""
    settings = OidcSettings(
        issuer=AnyHttpUrl(issuer.address), client_id=CLIENT, client_secret=SecretStr(SECRET)
    )
    async with serving_inbox(fresh, oidc=settings) as desk:
        await desk.handle(a_specialist("ann"))
        yield desk


@pytest.fixture
async def browser(desk: InboxServer) -> AsyncIterator[httpx.AsyncClient]:
    """Follow redirects and keep cookies, as a browser does."""
    async with httpx.AsyncClient(base_url=desk.address, follow_redirects=True) as client:
        yield client


async def test_the_company_lets_in_who_is_on_the_roster(
    browser: httpx.AsyncClient, issuer: Issuer
) -> None:
    """By code, PKCE and nonce; who has not the group of leads is none."""
    issuer.person = {"preferred_username": "ann"}
    answer = await browser.get("/sign-in/company")
    assert answer.status_code == 200
    assert "Inbox of Ann" in answer.text
    assert (await browser.get("/inbox/lead")).status_code == 403


async def test_who_is_in_the_group_of_leads_is_one(
    browser: httpx.AsyncClient, issuer: Issuer
) -> None:
    """The issuer says so."""
    issuer.person = {"preferred_username": "ann", "groups": ["staff", "premium-leads"]}
    await browser.get("/sign-in/company")
    assert (await browser.get("/inbox/lead")).status_code == 200


async def test_who_signs_in_comes_back_to_where_they_were(
    browser: httpx.AsyncClient, issuer: Issuer
) -> None:
    """But never to another site, whatever a link says."""
    issuer.person = {"preferred_username": "ann"}
    kept = await browser.get("/sign-in/company", params={"next": "/inbox?ticket=damaged"})
    assert kept.url.path == "/inbox"
    assert kept.url.params["ticket"] == "damaged"
    for lure in ("https://evil.example/", "//evil.example/", "/\\evil.example/"):
        answer = await browser.get("/sign-in/company", params={"next": lure})
        assert str(answer.url) == str(browser.base_url.join("/inbox"))


async def test_who_is_not_on_the_roster_stays_out(
    browser: httpx.AsyncClient, issuer: Issuer
) -> None:
    """However well the company knows them."""
    issuer.person = {"preferred_username": "eve", "groups": ["premium-leads"]}
    answer = await browser.get("/sign-in/company")
    assert answer.status_code == 403
    assert "eve is not on the roster" in answer.text
    assert (await browser.get("/inbox")).url.path == "/sign-in"


@pytest.mark.parametrize(
    "lies",
    [
        {"nonce": "of another"},
        {"aud": "another client"},
        {"iss": "https://another.example"},
        {"exp": 1_000_000_000},
        {"preferred_username": ""},
        {"preferred_username": ["ann"]},
    ],
)
async def test_a_token_that_cannot_be_trusted_lets_nobody_in(
    browser: httpx.AsyncClient, issuer: Issuer, lies: Mapping[str, Any]
) -> None:
    """Each claim is checked."""
    issuer.person, issuer.lies = {"preferred_username": "ann"}, lies
    answer = await browser.get("/sign-in/company")
    assert answer.status_code == 403
    assert "did not let you in" in answer.text
    assert (await browser.get("/inbox")).url.path == "/sign-in"


@pytest.mark.parametrize(
    ("claims", "more", "leads"),
    [
        ({}, {"preferred_username": "ann", "groups": ["premium-leads"]}, True),
        ({"preferred_username": "ann"}, {"groups": ["premium-leads"]}, True),
        ({"preferred_username": "ann"}, {"preferred_username": "eve"}, False),
        ({"preferred_username": "ann", "groups": []}, {"groups": ["premium-leads"]}, False),
        ({"preferred_username": "ann", "groups": "premium-leads"}, None, True),
        ({"preferred_username": "ann", "groups": "no-premium-leads"}, None, False),
        ({"preferred_username": "ann", "groups": 5}, None, False),
    ],
)
async def test_what_the_token_does_not_say_userinfo_may(
    browser: httpx.AsyncClient,
    issuer: Issuer,
    claims: dict[str, Any],
    more: dict[str, Any] | None,
    leads: bool,
) -> None:
    """What the token says itself counts; one group may stand without a list."""
    issuer.person, issuer.more = claims, more and {"sub": "17", **more}
    answer = await browser.get("/sign-in/company")
    assert "Inbox of Ann" in answer.text
    assert (await browser.get("/inbox/lead")).status_code == (200 if leads else 403)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"sub": "18", "preferred_username": "ann"}, "speaks of another person (sub)"),
        ({"preferred_username": "ann"}, "speaks of another person (sub)"),
        ({"sub": "17"}, "does not say who you are (preferred_username)"),
        ("broken", "does not answer as it should"),
        ([1], "cannot be trusted"),
    ],
)
async def test_userinfo_that_cannot_be_trusted_lets_nobody_in(
    browser: httpx.AsyncClient, issuer: Issuer, more: object, why: str
) -> None:
    """It must speak of who the token speaks of."""
    issuer.more = more
    answer = await browser.get("/sign-in/company")
    assert answer.status_code == 403
    assert why in answer.text


async def sign_out(browser: httpx.AsyncClient) -> httpx.Response:
    """Sign in with the company's account, and out."""
    inbox = await browser.get("/sign-in/company")
    [token] = re.findall(r'"x-csrf-token": "([0-9a-f]{64})"', inbox.text)
    return await browser.post("/sign-out", data={"csrf": token})


async def test_who_signs_out_is_led_to_where_the_issuer_ends_its_session(
    browser: httpx.AsyncClient, issuer: Issuer
) -> None:
    """With the token that it gave, and where to come back; this session has ended before."""
    issuer.person = {"preferred_username": "ann"}
    answer = await sign_out(browser)
    [to] = re.findall(r'content="0; url=([^"]+)"', answer.text)
    url = httpx.URL(unescape(to))
    assert str(url).startswith(f"{issuer.address}/end_session_endpoint?")
    assert [url.params["id_token_hint"]] == issuer.signed
    assert url.params["client_id"] == CLIENT
    assert url.params["post_logout_redirect_uri"] == f"{browser.base_url}/sign-in/out"
    assert (await browser.get("/inbox")).url.path == "/sign-in"
    assert "You are signed out." in (await browser.get("/sign-in/out?state=any")).text


async def test_an_issuer_that_ends_no_sessions_is_no_secret(
    browser: httpx.AsyncClient, issuer: Issuer
) -> None:
    """The page says that the company's session goes on."""
    issuer.person, issuer.ends = {"preferred_username": "ann"}, False
    answer = await sign_out(browser)
    assert "You are signed out here, but not of the company account" in answer.text
    assert (await browser.get("/inbox")).url.path == "/sign-in"


async def test_who_came_by_a_link_is_not_sent_to_the_issuer(
    browser: httpx.AsyncClient, desk: InboxServer
) -> None:
    """Their session has nothing to do with the company's."""
    inbox = await browser.post(await desk.link("ann"))
    [token] = re.findall(r'"x-csrf-token": "([0-9a-f]{64})"', inbox.text)
    answer = await browser.post("/sign-out", data={"csrf": token})
    assert "You are signed out." in answer.text


async def test_the_token_is_not_kept_readable(
    browser: httpx.AsyncClient, desk: InboxServer, issuer: Issuer
) -> None:
    """Nor what it says: the session's own secret opens it, of which there is but a digest."""
    issuer.person = {"preferred_username": "ann"}
    await browser.get("/sign-in/company")
    async with desk.db.session() as session:
        kept = await session.fetchval("SELECT id_token FROM web_session")
    [signed] = issuer.signed
    assert kept
    assert not any(part in kept for part in signed.split("."))
    async with desk.db.transaction() as tx:
        assert await web.end(tx, browser.cookies["router-session"]) == signed


async def test_scopes_are_a_setting(fresh: FreshDatabase, issuer: Issuer) -> None:
    """An issuer may give groups for a scope of theirs."""
    settings = OidcSettings(
        issuer=AnyHttpUrl(issuer.address),
        client_id=CLIENT,
        client_secret=SecretStr(SECRET),
        scopes="openid groups",
    )
    async with serving_inbox(fresh, oidc=settings) as desk, httpx.AsyncClient() as client:
        away = await client.get(f"{desk.address}/sign-in/company")
    assert httpx.URL(away.headers["location"]).params["scope"] == "openid groups"


async def test_a_forged_token_lets_nobody_in(browser: httpx.AsyncClient, issuer: Issuer) -> None:
    """Its signature is not the issuer's."""
    issuer.person, issuer.forges = {"preferred_username": "ann"}, True
    assert (await browser.get("/sign-in/company")).status_code == 403


async def test_who_did_not_go_cannot_come_back(browser: httpx.AsyncClient) -> None:
    """Another's answer, pasted into this browser, does not count."""
    answer = await browser.get("/sign-in/back", params={"code": "stolen", "state": "made-up"})
    assert answer.status_code == 403
