"""Sign-in with the company's account, at a real issuer that validates and can lie."""

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
    """Run an issuer, on the real clock."""
    db = Database(fresh.dsn, service="test")
    await db.start()
    async with db.session() as session:
        now = await session.fetchval(REAL_NOW)
    await db.stop()
    async with issuing(now) as issuer:
        yield issuer


@pytest.fixture
async def pages(fresh: FreshDatabase, issuer: Issuer) -> AsyncIterator[InboxServer]:
    """Serve the pages; ann is on the roster."""
    settings = OidcSettings(
        issuer=AnyHttpUrl(issuer.address), client_id=CLIENT, client_secret=SecretStr(SECRET)
    )
    async with serving_inbox(fresh, oidc=settings) as pages:
        await pages.handle(a_specialist("ann"))
        yield pages


@pytest.fixture
async def browser(pages: InboxServer) -> AsyncIterator[httpx.AsyncClient]:
    """Make a client that follows redirects and keeps cookies."""
    async with httpx.AsyncClient(base_url=pages.address, follow_redirects=True) as client:
        yield client


async def test_a_person_on_the_roster_can_sign_in(
    browser: httpx.AsyncClient, issuer: Issuer
) -> None:
    """By code, PKCE and nonce; without the leads' group the person is no lead."""
    issuer.person = {"preferred_username": "ann"}
    answer = await browser.get("/sign-in/company")
    assert answer.status_code == 200
    assert "Inbox of Ann" in answer.text
    assert (await browser.get("/inbox/lead")).status_code == 403


async def test_the_group_of_leads_makes_a_lead(browser: httpx.AsyncClient, issuer: Issuer) -> None:
    """By the issuer's claim."""
    issuer.person = {"preferred_username": "ann", "groups": ["staff", "premium-leads"]}
    await browser.get("/sign-in/company")
    assert (await browser.get("/inbox/lead")).status_code == 200


async def test_sign_in_returns_to_the_requested_page(
    browser: httpx.AsyncClient, issuer: Issuer
) -> None:
    """But never to another site, whatever the link contains."""
    issuer.person = {"preferred_username": "ann"}
    kept = await browser.get("/sign-in/company", params={"next": "/inbox?ticket=damaged"})
    assert kept.url.path == "/inbox"
    assert kept.url.params["ticket"] == "damaged"
    for lure in ("https://evil.example/", "//evil.example/", "/\\evil.example/"):
        answer = await browser.get("/sign-in/company", params={"next": lure})
        assert str(answer.url) == str(browser.base_url.join("/inbox"))


async def test_a_person_who_is_not_on_the_roster_is_refused(
    browser: httpx.AsyncClient, issuer: Issuer
) -> None:
    """Even with a company account."""
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
async def test_a_token_with_a_wrong_claim_is_refused(
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
async def test_missing_claims_are_read_from_userinfo(
    browser: httpx.AsyncClient,
    issuer: Issuer,
    claims: dict[str, Any],
    more: dict[str, Any] | None,
    leads: bool,
) -> None:
    """The token's claims take precedence; a single group need not be a list."""
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
async def test_userinfo_of_another_person_is_refused(
    browser: httpx.AsyncClient, issuer: Issuer, more: object, why: str
) -> None:
    """Its `sub` must be the token's."""
    issuer.more = more
    answer = await browser.get("/sign-in/company")
    assert answer.status_code == 403
    assert why in answer.text


async def sign_out(browser: httpx.AsyncClient) -> httpx.Response:
    """Sign in with the company's account, and out."""
    inbox = await browser.get("/sign-in/company")
    [token] = re.findall(r'"x-csrf-token": "([0-9a-f]{64})"', inbox.text)
    return await browser.post("/sign-out", data={"csrf": token})


async def test_sign_out_ends_the_issuers_session(
    browser: httpx.AsyncClient, issuer: Issuer
) -> None:
    """With the ID token and the return URL; this session has ended before."""
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


async def test_an_issuer_without_sign_out_is_mentioned(
    browser: httpx.AsyncClient, issuer: Issuer
) -> None:
    """The page states that the company's session continues."""
    issuer.person, issuer.ends = {"preferred_username": "ann"}, False
    answer = await sign_out(browser)
    assert "You are signed out here, but not of the company account" in answer.text
    assert (await browser.get("/inbox")).url.path == "/sign-in"


async def test_sign_out_of_a_link_session_does_not_involve_the_issuer(
    browser: httpx.AsyncClient, pages: InboxServer
) -> None:
    """Their session is independent of the company's."""
    inbox = await browser.post(await pages.link("ann"))
    [token] = re.findall(r'"x-csrf-token": "([0-9a-f]{64})"', inbox.text)
    answer = await browser.post("/sign-out", data={"csrf": token})
    assert "You are signed out." in answer.text


async def test_the_id_token_is_stored_encrypted(
    browser: httpx.AsyncClient, pages: InboxServer, issuer: Issuer
) -> None:
    """It is encrypted with the session's secret, of which only a digest is stored."""
    issuer.person = {"preferred_username": "ann"}
    await browser.get("/sign-in/company")
    async with pages.db.session() as session:
        kept = await session.fetchval("SELECT id_token FROM web_session")
    [signed] = issuer.signed
    assert kept
    assert not any(part in kept for part in signed.split("."))
    async with pages.db.transaction() as tx:
        assert await web.end(tx, browser.cookies["router-session"]) == signed


async def test_scopes_are_a_setting(fresh: FreshDatabase, issuer: Issuer) -> None:
    """An issuer may send groups only for a scope of its own."""
    settings = OidcSettings(
        issuer=AnyHttpUrl(issuer.address),
        client_id=CLIENT,
        client_secret=SecretStr(SECRET),
        scopes="openid groups",
    )
    async with serving_inbox(fresh, oidc=settings) as pages, httpx.AsyncClient() as client:
        away = await client.get(f"{pages.address}/sign-in/company")
    assert httpx.URL(away.headers["location"]).params["scope"] == "openid groups"


async def test_a_forged_token_is_refused(browser: httpx.AsyncClient, issuer: Issuer) -> None:
    """Its signature is not the issuer's."""
    issuer.person, issuer.forges = {"preferred_username": "ann"}, True
    assert (await browser.get("/sign-in/company")).status_code == 403


async def test_a_callback_without_a_sign_in_is_refused(browser: httpx.AsyncClient) -> None:
    """A callback URL from another browser is refused."""
    answer = await browser.get("/sign-in/back", params={"code": "stolen", "state": "made-up"})
    assert answer.status_code == 403
