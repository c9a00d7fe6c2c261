"""The stack of a demo, a replay or a benchmark: its own one, or with `--here` the running one.

These commands change business time, replace the roster and fill tables, which must not happen to
real tickets.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Final

from devstack.reporting import Reporter
from devstack.stack import Stack
from devstack.state import locked
from lab.proof.retry import with_retry
from lab.proof.tables import Tables
from premium.errors import CommandError
from premium.profile import SERVICES
from premium.settings import Settings
from shared.platform.settings import load

__all__ = ["OWN_SOURCE", "own_stack", "refuse_others", "stack_for"]

OWN_SOURCE: Final = "premium-"
"""The prefix of the demo's and the benchmarks' sources, which identifies their tickets."""


@asynccontextmanager
async def stack_for(name: str, report: Reporter, *, here: bool) -> AsyncIterator[Stack]:
    """Start an own stack for ``name``, or with ``here`` use the one that runs in PREMIUM_HOME."""
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
    """Start servers and services with new data in a folder below PREMIUM_HOME.

    External servers of the environment are not used, because they may hold tickets. Everything is
    deleted at the end. After a failure the folder is kept for inspection until the next stack of
    that name starts. Two stacks of one name run one after the other.
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
            report.line(f"Kept for inspection: logs in {folder / 'logs'}; PREMIUM_HOME={folder}")
            raise
        except BaseException:
            await asyncio.shield(_remove(stack))
            raise
        await _remove(stack)


async def refuse_others(tables: Tables) -> None:
    """Raise CommandError if there are tickets of other sources than the demo's and benchmarks'."""
    if others := await with_retry(lambda: tables.tickets(besides=OWN_SOURCE)):
        raise CommandError(
            f"this stack has {others} tickets of other sources, which a changed time and roster"
            " would harm: leave out --here"
        )


async def _remove(stack: Stack) -> None:
    await stack.down(wipe=True)
    (stack.folder / "own.lock").unlink(missing_ok=True)
    with suppress(OSError):  # the folder has other files
        stack.folder.rmdir()
