"""The roster in memory between transactions: read once, then only what other routers changed."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from router.domain.matching import Rules
from router.domain.offers.rules import OfferRules
from router.domain.roster import Roster
from router.store.roster import (
    Outdated,
    load_pools,
    load_roster,
    load_specialists,
    lock,
    newest,
    news,
)
from shared.platform.postgres import Tx

__all__ = ["Memory", "Remembered", "spare_the_collector"]


def spare_the_collector() -> None:
    """Let Python look for cycles less often: a roster is a million objects, and all live on."""
    gc.set_threshold(50_000, 20, 100)


class Remembered:
    """The roster in one transaction's hands."""

    def __init__(self, roster: Roster, offering: OfferRules) -> None:
        self.roster = roster
        self.offering = offering
        """The rules by which it rings."""
        self.version: int | None = None
        """Of what this transaction changed, once it is saved."""


class Memory:
    """Lends the roster to one transaction at a time, as it is in the database.

    A transaction takes the database's lock, then reads the changes after the last that is known.
    What it does to the roster counts once it is committed. Given up, or not known to be either,
    it is undone before the next begins, which reads what became of it from the database.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._roster: Roster | None = None
        self._version = 0
        self._in_hand: Remembered | None = None
        self._one_at_a_time = asyncio.Lock()
        self._alone: Tx | None = None

    @asynccontextmanager
    async def alone(self, tx: Tx) -> AsyncIterator[None]:
        """Become the only one who matches until ``tx`` ends; who is that already goes on.

        Whoever of this process waits for the database's lock, waits here first: else somebody
        could hold the one and wait for the other.
        """
        if self._alone is tx:
            yield
            return
        async with self._one_at_a_time:
            self._alone = tx
            try:
                await lock(tx)
                yield
            finally:
                self._alone = None

    @asynccontextmanager
    async def lent(self, tx: Tx) -> AsyncIterator[Remembered]:
        """Become the only one who matches until ``tx`` ends, and get the roster."""
        async with self.alone(tx):
            roster, offering = await self._up_to_date(tx)
            self._in_hand = Remembered(roster, offering)
            tx.after_commit.add(partial(self._settle, self._in_hand))
            try:
                yield self._in_hand
            except Outdated:
                self._roster = None
                raise
            except Exception:
                roster.restore()  # the transaction may still be committed, with an answer
                raise

    @asynccontextmanager
    async def looked_at(self, tx: Tx) -> AsyncIterator[Roster]:
        """Get the roster as it is committed, to look at it only: nobody waits for that.

        Not in a transaction that is `alone`: it would wait for who waits for it.
        What is decided and not committed yet is read from the database once it is.
        """
        async with self._one_at_a_time:
            self._in_hand = None
            roster, _ = await self._up_to_date(tx)
            yield roster

    def _settle(self, remembered: Remembered) -> None:
        """Believe what a transaction did, unless another has begun and read what became of it."""
        if self._in_hand is remembered and self._roster is remembered.roster:
            remembered.roster.settle()
            self._version = remembered.version or self._version

    async def _up_to_date(self, tx: Tx) -> tuple[Roster, OfferRules]:
        roster = self._roster
        if roster is not None:
            roster.restore()
            told = await news(tx, self._version)
            if told is not None:
                if told.specialist_ids:
                    roster.refresh(await load_specialists(tx, told.specialist_ids))
                roster.know_pools(told.pools)
                self._version = told.version
                return roster, told.rules
        version, offering = await newest(tx)
        roster = Roster(await load_roster(tx), self._rules)
        roster.know_pools(await load_pools(tx))
        self._roster, self._version = roster, version
        return roster, offering
