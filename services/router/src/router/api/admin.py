"""HTTP endpoints for operators: sign-in links, and which roster records were read."""

from http import HTTPStatus

from fastapi import APIRouter

from router.store import pages as page_store
from router.store import roster as roster_store
from shared.platform.admin import AdminKey, admin_router, invalid, log_act
from shared.platform.admin_api import SignInLink, SignInLinkRequest, SpecialistRecord
from shared.platform.postgres import Database
from shared.web import store as web_store
from shared.web.paths import LINK
from shared.web.visitors import Person

__all__ = ["routes"]


def routes(db: Database) -> APIRouter:
    """Build the routes."""
    router = admin_router()

    @router.post("/links", summary="Create a sign-in link", status_code=HTTPStatus.CREATED)
    async def create_link(body: SignInLinkRequest, by: AdminKey) -> SignInLink:
        """Create a link that signs a specialist in to the inbox, once, within 15 minutes.

        A repeated request creates another link; one that was not received expires unused.
        """
        person = Person(body.specialist_id, lead=body.lead)
        async with db.transaction() as tx:
            if not await page_store.is_listed(tx, person):
                fault = "is not on the roster; import it with `premium roster import`"
                raise invalid("specialist_id", fault=f"{person.name} {fault}")
            secret = await web_store.make_link(tx, person)
        log_act("link_created", by, specialist_id=person.name, lead=person.lead)
        expires_in_s = int(web_store.LINK_VALID.total_seconds())
        return SignInLink(path=f"{LINK}/{secret}", expires_in_s=expires_in_s)

    @router.get("/specialists", summary="List roster records")
    async def list_roster_records(_: AdminKey) -> list[SpecialistRecord]:
        """List the specialists on the roster, with the time of the latest record about each."""
        async with db.transaction() as tx:
            return [
                SpecialistRecord(specialist_id=specialist_id, listed_at=listed_at)
                for specialist_id, listed_at in await roster_store.listed_at(tx)
            ]

    return router
