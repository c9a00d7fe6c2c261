"""`premium watch breaches`: what is broken, as it comes, and whether silence can be trusted."""

import asyncio
import signal
from enum import StrEnum
from typing import Annotated, Final

import typer
from aiokafka.errors import KafkaError
from rich.console import Console

from premium.errors import CommandError
from premium.interrupt import run
from premium.profile import CHECK, read_profile
from premium.watch.follow import Since, following
from premium.watch.screen import Screen, screen_on
from premium.watch.silence import Silence
from premium.watch.view import broken_line
from shared.basics.clock import elapsed_s
from shared.basics.errors import Transient
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
    since: Annotated[Since, typer.Option(help="Show what was said before, or not.")] = Since.NOW,
    once: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="SECONDS",
            help="End as soon as silence is proven; exit with 1 if it is not within SECONDS.",
        ),
    ] = None,
) -> None:
    """Show each breach, miss and retraction as it comes, and how far silence can be trusted.

    Goes on until Ctrl-C. Red means that no watermark came for 5 s: silence then proves nothing.
    """
    del what  # there is but one yet
    profile = read_profile()
    bootstrap, prefix = profile.kafka_bootstrap, profile.topic_prefix
    screen = screen_on(Console())
    try:
        proven = run(watched(bootstrap, screen, since=since, once_s=once, topic_prefix=prefix))
    except (KafkaError, OSError, Transient) as e:
        raise CommandError(f"cannot watch at {bootstrap}: {e}; {CHECK}") from e
    if once is not None:
        raise typer.Exit({True: 0, False: _UNPROVEN, None: _INTERRUPTED}[proven])


async def watched(
    bootstrap: str, screen: Screen, *, since: Since, once_s: float | None, topic_prefix: str = ""
) -> bool | None:
    """Watch until silence is proven or not in ``once_s``, or until a signal, which is None."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    began_s = elapsed_s()
    async with following(bootstrap, topic_prefix + BreachFact.topic, since) as feed:
        silence = Silence(feed.partitions, since_s=elapsed_s())
        with screen.lit():
            while not stopped.is_set():
                for envelope, is_new in await feed.next():
                    if isinstance(envelope.event, WatermarkAdvanced):
                        if is_new:
                            silence.hear(envelope.event, at_s=elapsed_s())
                    elif line := broken_line(envelope):
                        screen.tell(line)
                proof = silence.proof(now_s=elapsed_s())
                screen.show(proof)
                if once_s is not None and (proof.holds or elapsed_s(began_s) >= once_s):
                    return proof.holds
    return None
