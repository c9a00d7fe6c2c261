"""The stack that a demo, a replay or a bench runs on: one of its own, unless `--here` is asked for.

They move business time, replace the roster and fill the tables: beside real tickets none of that
may happen.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Final

from devstack.reporting import Reporter
from devstack.stack import Stack
from devstack.state import locked
from lab.proof.patience import patiently
from lab.proof.tables import Tables
from premium.errors import CommandError
from premium.profile import SERVICES
from premium.settings import Settings
from shared.platform.settings import load

__all__ = ["OWN_SOURCE", "own_stack", "refuse_others", "stack_for"]

OWN_SOURCE: Final = "premium-"
"""Demo and bench send under sources that begin like this, so that their tickets are recognized."""


@asynccontextmanager
async def stack_for(name: str, report: Reporter, *, here: bool) -> AsyncIterator[Stack]:
    """Open a stack of its own for ``name``, or with ``here`` the one that runs in PREMIUM_HOME."""
    if not here:
        async with own_stack(name, report) as stack:
            yield stack
        return
    stack = Stack.attach(load(Settings).home, report)
    for state in await stack.states():
        if state.reason is not None:
            raise CommandError(f"{state.title}: {state.reason}; run `premium up`")
    yield stack


@asynccontextmanager
async def own_stack(
    name: str, report: Reporter, services: Iterable[str] = SERVICES
) -> AsyncIterator[Stack]:
    """Start servers and services with fresh data in a folder of their own, below PREMIUM_HOME.

    Servers named by the environment are not used: their databases and topics may hold tickets.
    Everything is deleted in the end; after a failure the folder is kept for a look, and the next
    of that name begins by deleting it. Two of one name run after each other.
    """
    folder = load(Settings).home.absolute() / name
    folder.mkdir(parents=True, exist_ok=True)
    async with locked(folder / "own.lock", report):
        stack = Stack(folder, report=report)
        await stack.down(wipe=True)
        try:
            await stack.up(services)
            yield stack
        except Exception:
            await stack.down()
            report.line(f"Kept for a look: logs in {folder / 'logs'}; PREMIUM_HOME={folder}")
            raise
        except BaseException:
            await asyncio.shield(_remove(stack))
            raise
        await _remove(stack)


async def refuse_others(tables: Tables) -> None:
    """Raise CommandError where a ticket is neither the demo's nor the bench's."""
    if others := await patiently(lambda: tables.tickets(besides=OWN_SOURCE)):
        raise CommandError(
            f"this stack holds {others} tickets of others, which business time and another roster"
            " would harm: leave out --here"
        )


async def _remove(stack: Stack) -> None:
    await stack.down(wipe=True)
    (stack.folder / "own.lock").unlink(missing_ok=True)
    with suppress(OSError):  # somebody put something there
        stack.folder.rmdir()
