"""`premium watch breaches`: show breaches as they happen, and whether silence can be trusted."""

import asyncio
import signal
from enum import StrEnum
from typing import Annotated, Final

import typer
from rich.console import Console

from premium.interrupt import run_on_deployment
from premium.profile import read_profile
from premium.watch.feed import Since, topic_feed
from premium.watch.screen import Screen
from premium.watch.silence import Silence
from premium.watch.view import breach_line
from shared.basics.clock import elapsed_s
from shared.events import BreachFact, WatermarkAdvanced

__all__ = ["Watched", "watch"]

_UNPROVEN: Final = 1
_INTERRUPTED: Final = 130


class Watched(StrEnum):
    """What can be watched."""

    BREACHES = "breaches"


def watch(
    what: Annotated[Watched, typer.Argument(help="what to watch")],
    *,
    since: Annotated[Since, typer.Option(help="Whether to show earlier events.")] = Since.NOW,
    once: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="SECONDS",
            help="End as soon as silence is proven; exit with 1 if it is not within SECONDS.",
        ),
    ] = None,
) -> None:
    """Show each breach, miss and retraction, and how far silence can be trusted, until Ctrl-C.

    Red means that a partition had no watermark for 5 s: silence then proves nothing.
    """
    del what  # there is only one so far
    profile = read_profile()
    bootstrap, prefix = profile.kafka_bootstrap, profile.topic_prefix
    screen = Screen(Console())
    proven = run_on_deployment(
        watched(bootstrap, screen, since=since, once_s=once, topic_prefix=prefix)
    )
    if once is not None:
        raise typer.Exit({True: 0, False: _UNPROVEN, None: _INTERRUPTED}[proven])


async def watched(
    bootstrap: str, screen: Screen, *, since: Since, once_s: float | None, topic_prefix: str = ""
) -> bool | None:
    """Watch until a signal: return None; or for ``once_s``: return whether silence was proven."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    began_s = elapsed_s()
    async with topic_feed(bootstrap, BreachFact.topic, since, topic_prefix=topic_prefix) as feed:
        silence = Silence(feed.partitions, since_s=elapsed_s())
        with screen.live():
            while not stopped.is_set():
                for envelope, is_new in await feed.next():
                    if isinstance(envelope.event, WatermarkAdvanced):
                        if is_new:
                            silence.add(envelope.event, at_s=elapsed_s())
                    elif line := breach_line(envelope):
                        screen.show_event(line)
                proof = silence.proof(now_s=elapsed_s())
                screen.show_status(proof)
                if once_s is not None and (proof.holds or elapsed_s(began_s) >= once_s):
                    return proof.holds
    return None
