"""Caches the roster between transactions: loads it once, then what other routers changed."""

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
    """Collect cyclic garbage less often: a roster has a million objects, and none is garbage."""
    gc.set_threshold(50_000, 20, 100)


class HeldRoster:
    """The roster and offer rules, while a transaction holds the matching lock."""

    def __init__(self, roster: Roster, offer_rules: OfferRules) -> None:
        self.roster = roster
        self.offer_rules = offer_rules
        self.version: int | None = None
        """The version of this transaction's changes, once they are saved."""


class RosterCache:
    """Gives the roster to one transaction at a time, in the state of the database.

    A transaction takes the matching lock in the database, then reads the changes after the cached
    version. Its own changes are kept after its commit. If it fails, or its commit is uncertain,
    they are rolled back before the next transaction, which reads the committed ones.
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
        """Hold the matching lock until ``tx`` ends; reentrant for the same transaction.

        Transactions of this process wait for a local lock first. Otherwise one could hold the
        database's lock and wait for the local one, and another the reverse.
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
        """Hold the matching lock until ``tx`` ends, and yield the current roster."""
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
                roster.roll_back()  # the caller may answer the error, and commit the transaction
                raise

    @asynccontextmanager
    async def read_roster(self, tx: Tx) -> AsyncIterator[Roster]:
        """Yield the committed roster for reading, without the database's lock.

        Not to be used in a transaction with the matching lock, which would wait for itself.
        """
        async with self._process_lock:
            self._held = None
            roster, _ = await self._up_to_date(tx)
            yield roster

    def _keep_changes(self, held: HeldRoster) -> None:
        """Keep the cached changes after commit, unless a newer transaction has begun."""
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
