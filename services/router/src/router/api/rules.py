"""HTTP endpoints of the rules for offers."""

from fastapi import FastAPI

from router.api.auth import LeadKey, ReadKey
from router.domain.offers.rules import OfferRules
from router.store import offers as offer_store
from shared.platform.postgres import Database

__all__ = ["add_rules"]


def add_rules(app: FastAPI, db: Database) -> None:
    """Add the endpoints."""

    @app.get("/v1/rules", summary="Read the offer rules")
    async def read_rules(_: ReadKey) -> OfferRules:
        """Return the rules in force: leases, exclusions, back-off and graces."""
        async with db.transaction() as tx:
            return await offer_store.load_rules(tx)

    @app.put("/v1/rules", summary="Replace the offer rules")
    async def change_rules(rules: OfferRules, _: LeadKey) -> OfferRules:
        """Replace the rules; they apply to all decisions from now on."""
        async with db.transaction() as tx:
            await offer_store.save_rules(tx, rules)
        return rules
