"""The roster in memory between transactions: read once, then only what other routers changed."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from router.domain.matching import MatchingRules
from router.domain.offers.rules import OfferRules
from router.domain.roster import Roster
from router.store.roster import (
    OutdatedCache,
    latest_version,
    load_changes,
    load_pools,
    load_roster,
    load_specialists,
    lock,
)
from shared.platform.postgres import Tx

__all__ = ["HeldRoster", "RosterCache", "collect_garbage_less_often"]


def collect_garbage_less_often() -> None:
    """Let Python look for cycles less often: a roster is a million objects, and all live on."""
    gc.set_threshold(50_000, 20, 100)


class HeldRoster:
    """The roster in one transaction's hands."""

    def __init__(self, roster: Roster, offer_rules: OfferRules) -> None:
        self.roster = roster
        self.offer_rules = offer_rules
        """The rules by which it rings."""
        self.version: int | None = None
        """Of what this transaction changed, once it is saved."""


class RosterCache:
    """Lends the roster to one transaction at a time, as it is in the database.

    A transaction takes the database's lock, then reads the changes after the last that is known.
    What it does to the roster counts once it is committed. Given up, or not known to be either,
    it is undone before the next begins, which reads what became of it from the database.
    """

    def __init__(self, rules: MatchingRules) -> None:
        self._rules = rules
        self._roster: Roster | None = None
        self._version = 0
        self._held: HeldRoster | None = None
        self._process_lock = asyncio.Lock()
        self._lock_holder: Tx | None = None

    @asynccontextmanager
    async def matching_lock(self, tx: Tx) -> AsyncIterator[None]:
        """Become the only one who matches until ``tx`` ends; who is that already goes on.

        Whoever of this process waits for the database's lock, waits here first: else somebody
        could hold the one and wait for the other.
        """
        if self._lock_holder is tx:
            yield
            return
        async with self._process_lock:
            self._lock_holder = tx
            try:
                await lock(tx)
                yield
            finally:
                self._lock_holder = None

    @asynccontextmanager
    async def hold_roster(self, tx: Tx) -> AsyncIterator[HeldRoster]:
        """Become the only one who matches until ``tx`` ends, and get the roster."""
        async with self.matching_lock(tx):
            roster, offer_rules = await self._up_to_date(tx)
            self._held = HeldRoster(roster, offer_rules)
            tx.after_commit.add(partial(self._keep_changes, self._held))
            try:
                yield self._held
            except OutdatedCache:
                self._roster = None
                raise
            except Exception:
                roster.roll_back()  # the transaction may still be committed, with an answer
                raise

    @asynccontextmanager
    async def read_roster(self, tx: Tx) -> AsyncIterator[Roster]:
        """Get the roster as it is committed, to look at it only: nobody waits for that.

        Not in a transaction that is `alone`: it would wait for who waits for it.
        What is decided and not committed yet is read from the database once it is.
        """
        async with self._process_lock:
            self._held = None
            roster, _ = await self._up_to_date(tx)
            yield roster

    def _keep_changes(self, held: HeldRoster) -> None:
        """Believe what a transaction did, unless another has begun and read what became of it."""
        if self._held is held and self._roster is held.roster:
            held.roster.commit()
            self._version = held.version or self._version

    async def _up_to_date(self, tx: Tx) -> tuple[Roster, OfferRules]:
        roster = self._roster
        if roster is not None:
            roster.roll_back()
            changes = await load_changes(tx, self._version)
            if changes is not None:
                if changes.specialist_ids:
                    roster.refresh(await load_specialists(tx, changes.specialist_ids))
                roster.add_pools(changes.pools)
                self._version = changes.version
                return roster, changes.rules
        version, offer_rules = await latest_version(tx)
        roster = Roster(await load_roster(tx), self._rules)
        roster.add_pools(await load_pools(tx))
        self._roster, self._version = roster, version
        return roster, offer_rules
