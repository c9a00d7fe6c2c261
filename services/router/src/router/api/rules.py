"""The door of the rules by which offers ring."""

from fastapi import FastAPI

from router.api.auth import LeadKey, ReadKey
from router.domain.offers.rules import OfferRules
from router.store import offers as offer_store
from shared.platform.postgres import Database

__all__ = ["add_rules"]


def add_rules(app: FastAPI, db: Database) -> None:
    """Add the routes."""

    @app.get("/v1/rules", summary="How it rings")
    async def read_rules(_: ReadKey) -> OfferRules:
        """Show the rules in force: how offers ring, who is set aside, what is handed back when."""
        async with db.transaction() as tx:
            return await offer_store.load_rules(tx)

    @app.put("/v1/rules", summary="Let it ring otherwise")
    async def change_rules(rules: OfferRules, _: LeadKey) -> OfferRules:
        """Put rules in force, for all that happens from now on."""
        async with db.transaction() as tx:
            await offer_store.save_rules(tx, rules)
        return rules
