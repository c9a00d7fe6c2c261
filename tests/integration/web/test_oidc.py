"""Signing in with the company's account, at a real issuer that checks and can lie."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest
from pydantic import AnyHttpUrl, SecretStr
from tests.browser.desk import REAL_NOW, Desk, opened
from tests.integration.web.issuer import CLIENT, SECRET, Issuer, issuing

from shared.postgres import Database
from shared.testing.builders import a_specialist
from shared.testing.databases import FreshDatabase, MakeDatabase
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
async def desk(fresh: FreshDatabase, issuer: Issuer) -> AsyncIterator[Desk]:
    """Serve the pages; ann is on the roster."""
    settings = OidcSettings(
        issuer=AnyHttpUrl(issuer.address), client_id=CLIENT, client_secret=SecretStr(SECRET)
    )
    async with opened(fresh, oidc=settings) as desk:
        await desk.given(a_specialist("ann"))
        yield desk


@pytest.fixture
async def browser(desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
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


async def test_a_forged_token_lets_nobody_in(browser: httpx.AsyncClient, issuer: Issuer) -> None:
    """Its signature is not the issuer's."""
    issuer.person, issuer.forges = {"preferred_username": "ann"}, True
    assert (await browser.get("/sign-in/company")).status_code == 403


async def test_who_did_not_go_cannot_come_back(browser: httpx.AsyncClient) -> None:
    """Another's answer, pasted into this browser, does not count."""
    answer = await browser.get("/sign-in/back", params={"code": "stolen", "state": "made-up"})
    assert answer.status_code == 403
